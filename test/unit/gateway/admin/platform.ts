import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  createGateway,
  openAdministration,
  type Catalog,
  type KeyIdentity,
  type ModelState,
  type ProviderFile,
} from "../../../../gateway/index.ts";
import { z } from "zod";
import {
  fail,
  json,
  startProviderDouble,
  type ProviderDouble,
} from "../../../support/provider-double.ts";
import { startFakeCoglet } from "../fake-coglet.ts";
import { chatModel, FakeUpstream, MemoryPredictions, ocrModel } from "../harness.ts";
import {
  answerCompatibleChat,
  compatibleChat,
} from "../upstream/provider/doubles/openai-chat-part.ts";

export const keys = {
  admin: "byom_admin",
  deploy: "byom_deploy",
  call: "byom_call",
  /** May call `acme/*` only. */
  acme: "byom_acme",
} as const;

const owners: Readonly<Record<string, KeyIdentity>> = {
  [keys.admin]: { id: "key-1", name: "admin", scopes: ["admin"] },
  [keys.deploy]: { id: "key-2", name: "ci", scopes: ["deploy"] },
  [keys.call]: { id: "key-3", name: "app", scopes: ["call"] },
  [keys.acme]: { id: "key-4", name: "acme", scopes: ["call"], models: ["acme/*"] },
};

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // The shape is what the tests are about.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface Platform {
  readonly url: string;
  readonly directory: string;
  readonly upstream: FakeUpstream & { modelState: ModelState };
  /** With the admin key unless another one is named. */
  call(
    method: string,
    path: string,
    options?: {
      readonly body?: unknown;
      readonly key?: string;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<Answer>;
  /** A chat with the key that may call: its text, or the error. */
  chat(
    model: string,
    options?: { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Answer>;
  close(): Promise<void>;
}

const now = Date.parse("2026-11-23T12:00:00.000Z");

/** A gateway with its administration on a real port, over a fake instance; two own models are deployed. */
export async function startPlatform(
  options: {
    /** Of a platform that ran before. */
    readonly directory?: string;
    readonly file?: ProviderFile;
    readonly environment?: Readonly<Record<string, string>>;
    readonly own?: Catalog;
  } = {},
): Promise<Platform> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "byom-catalog-")));
  const coglet = await startFakeCoglet();
  coglet.play(async (prediction) => {
    prediction.start();
    await prediction.output("own model");
    prediction.complete();
  });
  const upstream = Object.assign(new FakeUpstream(), {
    modelState: "idle" as ModelState,
    state: (): ModelState => upstream.modelState,
  });
  upstream.origin = coglet.origin;
  const models = [chatModel, ocrModel];
  const administration = openAdministration({
    dataDirectory: directory,
    own: options.own ?? {
      get: (id) => models.find((model) => model.id === id),
      list: () => models,
    },
    environment: options.environment ?? {},
    clock: () => now,
    ...(options.file === undefined ? {} : { file: options.file }),
  });
  const gateway = createGateway({
    upstream,
    catalog: administration.catalog,
    providers: administration.providers,
    administration,
    keys: { verify: (secret) => owners[secret] },
    predictions: new MemoryPredictions(),
    dataDirectory: directory,
    clock: () => now,
    deadlines: { callerGraceMs: 50, cancelMs: 500 },
  });
  const server = createServer((request, response) => {
    void gateway.handle(request, response).then((isHandled) => {
      if (!isHandled) response.writeHead(418).end("not the gateway's");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const call: Platform["call"] = async (method, path, { body, key = keys.admin, headers } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
  };
  return {
    url,
    directory,
    upstream,
    call,
    chat: (model, { headers } = {}) =>
      call("POST", "/v1/chat/completions", {
        key: keys.call,
        body: { model, messages: [{ role: "user", content: "Hi" }] },
        ...(headers === undefined ? {} : { headers }),
      }),
    async close() {
      await gateway.close({ signal: AbortSignal.abort() });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      administration.close();
      await coglet.close();
    },
  };
}

export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

export const vllmKey = "sk-vllm-secret-1";

/** A vLLM that says "Hi you" to every chat and lists two models. */
export function startVllm(key: string = vllmKey): Promise<ProviderDouble> {
  return startProviderDouble({
    basePath: "/v1",
    key: { authorization: `Bearer ${key}` },
    routes: [
      {
        method: "POST",
        path: "/chat/completions",
        body: compatibleChat,
        answer: answerCompatibleChat,
      },
      {
        method: "GET",
        path: "/models",
        query: z.strictObject({}),
        answer: () =>
          json({
            object: "list",
            data: [{ id: "Qwen/Qwen3-8B" }, { id: "bge-m3" }, { id: "a b" }],
          }),
      },
    ],
    refuse: ({ status, message }) => fail(status, { error: { message } }),
  });
}
