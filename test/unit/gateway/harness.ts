import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  createGateway,
  type CatalogEntry,
  type Deadlines,
  type Deployments,
  type Gateway,
  type GatewayOptions,
  type KeyIdentity,
  type GatewayEvent,
  type Lease,
  type LeaseStart,
  type PredictionListOptions,
  type PredictionRecord,
  type PredictionStore,
  type Providers,
  type Upstream,
} from "../../../gateway/index.ts";
import { startFakeCoglet, type FakeCoglet } from "./fake-coglet.ts";

export const callKey = "byom_call_key";
export const deployKey = "byom_deploy_key";

/** A chat model that streams text, as `byom init` writes one. */
export const chatModel: CatalogEntry = {
  id: "acme/chat",
  description: "A small language model",
  task: "text-generation",
  inputSchema: {
    type: "object",
    required: ["prompt"],
    properties: {
      prompt: { type: "string", "x-order": 0 },
      system_prompt: { type: "string", "x-order": 1 },
      max_tokens: { type: "integer", minimum: 1, maximum: 100, "x-order": 2 },
      temperature: { type: "number", minimum: 0, maximum: 2, "x-order": 3 },
    },
  },
  outputSchema: {
    type: "array",
    items: { type: "string" },
    "x-cog-array-type": "iterator",
    "x-cog-array-display": "concatenate",
  },
  isStreaming: true,
  requestFormats: ["predictions", "chat-completions"],
  hardware: "cpu",
  version: 3,
  digest: `sha256:${"ab".repeat(32)}`,
  createdAt: "2026-11-01T00:00:00.000Z",
};

/** A model with one whole answer that is not text. */
export const ocrModel: CatalogEntry = {
  ...chatModel,
  id: "acme/ocr",
  description: "Reads text in images",
  task: "image-to-text",
  inputSchema: {
    type: "object",
    required: ["image"],
    properties: {
      image: { type: "string", format: "uri", "x-order": 0 },
      language: { allOf: [{ $ref: "#/components/schemas/language" }], default: "en", "x-order": 1 },
    },
    components: { schemas: { language: { type: "string", enum: ["en", "de"] } } },
  },
  outputSchema: { type: "object" },
  isStreaming: false,
  requestFormats: ["predictions"],
  version: 7,
  digest: `sha256:${"cd".repeat(32)}`,
};

export const coldStart: LeaseStart = {
  mode: "restored",
  reason: "no instance was running",
  totalMs: 512.34,
  phases: [
    { name: "create", ms: 12 },
    { name: "criu", ms: 80.04 },
  ],
};

/** Hands out one origin; the test decides when and with what failure. */
export class FakeUpstream implements Upstream {
  origin = "";
  start: LeaseStart = coldStart;
  /** Awaited by each acquire; reject to refuse. */
  gate: (modelId: string, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  readonly acquired: { readonly modelId: string; readonly version: number | undefined }[] = [];
  readonly released: string[] = [];

  async acquire(
    modelId: string,
    options: { signal: AbortSignal; version?: number },
  ): Promise<Lease> {
    this.acquired.push({ modelId, version: options.version });
    await this.gate(modelId, options.signal);
    return {
      origin: this.origin,
      instanceId: "i-1",
      version: options.version ?? (modelId === ocrModel.id ? 7 : 3),
      start: this.start,
      release: (outcome) => this.released.push(outcome),
    };
  }
}

/** The store's contract in memory; `log` keeps every state that was written. */
export class MemoryPredictions implements PredictionStore {
  readonly records: Map<string, PredictionRecord> = new Map();
  readonly log: string[] = [];
  insert(record: PredictionRecord): void {
    if (this.records.has(record.id)) throw new Error(`duplicate ${record.id}`);
    this.#put(record);
  }
  update(record: PredictionRecord): void {
    if (!this.records.has(record.id)) throw new Error(`unknown ${record.id}`);
    this.#put(record);
  }
  get(id: string): PredictionRecord | undefined {
    return this.records.get(id);
  }
  list(options: PredictionListOptions): readonly PredictionRecord[] {
    const { limit, before, after, createdAfter = "", createdBefore = "~" } = options;
    const { bytesMax = Number.POSITIVE_INFINITY } = options;
    const ids = [...this.records.keys()];
    const from = after === undefined ? 0 : ids.indexOf(after) + 1;
    const to = before === undefined ? ids.length : ids.indexOf(before);
    const found = [...this.records.values()]
      .slice(from, Math.max(0, to))
      .filter(({ createdAt }) => createdAt >= createdAfter && createdAt < createdBefore);
    const walked = (after === undefined ? found.toReversed() : found).slice(0, limit);
    let bytes = 0;
    const kept = walked.filter((record, index) => {
      bytes += JSON.stringify(record).length;
      return index === 0 || bytes <= bytesMax;
    });
    return after === undefined ? kept : kept.toReversed();
  }
  readonly settled: Set<string> = new Set();
  owingWebhooks(): readonly string[] {
    return [...this.records.values()].flatMap(({ id, webhook, completedAt }) =>
      webhook?.events.includes("completed") === true && completedAt !== undefined
        ? this.settled.has(id)
          ? []
          : [id]
        : [],
    );
  }
  settleWebhooks(ids: readonly string[]): void {
    for (const id of ids) this.settled.add(id);
  }
  prune(): number {
    return 0;
  }
  unfinished(): readonly PredictionRecord[] {
    return [...this.records.values()].filter(({ completedAt }) => completedAt === undefined);
  }
  #put(record: PredictionRecord): void {
    this.records.set(record.id, structuredClone(record));
    this.log.push(`${record.id} ${record.status}`);
  }
}

export class StartError extends Error {
  readonly code: string;
  readonly retryAfterMs: number | undefined;
  constructor(code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface Harness {
  readonly gateway: Gateway;
  readonly url: string;
  readonly coglet: FakeCoglet;
  readonly upstream: FakeUpstream;
  readonly predictions: MemoryPredictions;
  readonly events: GatewayEvent[];
  readonly directory: string;
  /** A call with the key that may call. */
  call(path: string, options?: CallOptions): Promise<Response>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const now = Date.parse("2026-11-23T12:00:00.000Z");

/** A gateway on a real port over a fake instance. */
export async function startHarness(
  options: {
    readonly deadlines?: Partial<Deadlines>;
    readonly models?: readonly CatalogEntry[];
    readonly predictions?: MemoryPredictions;
    /** Private hosts that callers' URLs may name. */
    readonly allowedHosts?: readonly string[];
    readonly webhookLimits?: GatewayOptions["webhookLimits"];
    readonly deployments?: Deployments;
    /** What `callKey` may do; default: call every model. */
    readonly key?: KeyIdentity;
    readonly providers?: Providers;
    /** Data directory of a gateway that was killed; it stays when this one closes. */
    readonly directory?: string;
    /** What else a test says about the gateway, such as `policy` and `watch`. */
    readonly more?: Partial<
      Pick<
        GatewayOptions,
        "policy" | "watch" | "clock" | "administration" | "otlp" | "metricsToken"
      >
    >;
  } = {},
): Promise<Harness> {
  const coglet = await startFakeCoglet();
  const upstream = new FakeUpstream();
  upstream.origin = coglet.origin;
  const predictions = options.predictions ?? new MemoryPredictions();
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "byom-gateway-")));
  const models = options.models ?? [chatModel, ocrModel];
  const events: GatewayEvent[] = [];
  let ids = 0;
  const gateway = createGateway({
    upstream,
    catalog: { get: (id) => models.find((model) => model.id === id), list: () => models },
    ...(options.providers === undefined ? {} : { providers: options.providers }),
    keys: {
      verify: (secret) =>
        secret === callKey
          ? (options.key ?? { id: "key-1", name: "app", scopes: ["call"] })
          : secret === deployKey
            ? { id: "key-2", name: "ci", scopes: ["deploy"] }
            : undefined,
    },
    predictions,
    allowedHosts: options.allowedHosts ?? [],
    ...(options.webhookLimits === undefined ? {} : { webhookLimits: options.webhookLimits }),
    ...(options.deployments === undefined ? {} : { deployments: options.deployments }),
    dataDirectory: directory,
    clock: () => now,
    idSource: () => `id${(ids += 1)}`,
    deadlines: { callerGraceMs: 50, cancelMs: 500, ...options.deadlines },
    onEvent: (event) => events.push(event),
    ...options.more,
  });
  const server = createServer((request, response) => {
    void gateway.handle(request, response).then((isHandled) => {
      if (!isHandled) response.writeHead(418).end("not the gateway's");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    gateway,
    url,
    coglet,
    upstream,
    predictions,
    events,
    directory,
    call: (path, { method, body, headers, signal } = {}) =>
      fetch(`${url}${path}`, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: { authorization: `Bearer ${callKey}`, ...headers },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      }),
    async close() {
      await gateway.close({ signal: AbortSignal.abort() });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await coglet.close();
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Waits for something that another task brings about; fails with its description when it does not come. */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never came: ${what}`);
}
