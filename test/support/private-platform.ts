import Docker from "dockerode";

import { ensureCloneImage } from "../integration/runtime/snapshot/clone-image.ts";
import { createByom, type Byom } from "./byom.ts";
import { takeInventory, type Inventory } from "./leftovers.ts";
import { copyImage, startPrivateEngine, type PrivateEngine } from "./private-engine.ts";

/** What a caller got: an answer of the model, an error in words, or a connection that broke. */
export interface Answer {
  /** 0: the connection broke. */
  readonly status: number;
  /** How the instance came up, for the call that woke it. */
  readonly mode: string | undefined;
  readonly reason: string | undefined;
  readonly output: Readonly<Record<string, unknown>> | undefined;
  readonly text: string;
  readonly ms: number;
}

/** `byom up` on an engine of its own, with the model of the snapshot tests. */
export interface PrivatePlatform extends AsyncDisposable {
  readonly engine: PrivateEngine;
  readonly byom: Byom;
  /** Of the platform's process; changes with each start. */
  pid(): number;
  /** Starts the platform again after a kill. */
  start(): Promise<void>;
  /** Deploys a version with this environment, so that each value has a snapshot of its own. */
  deploy(modelId: string, environment?: Readonly<Record<string, string>>): Promise<Answer>;
  call(modelId: string): Promise<Answer>;
  /** Lets its instances go; the next call starts one. */
  zero(modelId: string): Promise<void>;
  inventory(): Promise<Inventory>;
}

const image = "byom-test/snapshot-clone:latest";
/** A restore, the cold start behind it and an engine that starts anew lie far below. */
const answerTimeoutMs = 120_000;

export async function createPrivatePlatform(options: {
  readonly keepsContainers: boolean;
}): Promise<PrivatePlatform> {
  await using cleanup = new AsyncDisposableStack();
  await ensureCloneImage(new Docker());
  const engine = cleanup.use(await startPrivateEngine(options));
  const imageId = await copyImage(engine, image);
  const { launcher } = engine;
  const byom = cleanup.use(await createByom({ DOCKER_HOST: engine.address }, { launcher }));
  let platform = { url: "", pid: 0 };
  const start = async (): Promise<void> => {
    platform = await byom.json("up", "--detach", "--port", "0");
  };
  await start();
  const send = async (path: string, body: unknown): Promise<Answer> => {
    const { apiKey } = await byom.access();
    return await ask(`${platform.url}${path}`, apiKey, body);
  };
  const resources = cleanup.move();
  return {
    engine,
    byom,
    pid: () => platform.pid,
    start,
    deploy: (modelId, environment = {}) =>
      send(`/api/v1/models/${modelId}/deployments`, {
        image: { imageId, reference: `registry.invalid/${modelId}@${imageId}` },
        weightsDigest: "sha256:none",
        example: { input: { do: "sum" } },
        settings: { snapshots: "always", environment },
      }),
    call: (modelId) => send(`/models/${modelId}/predictions`, { input: {} }),
    zero: async (modelId) => {
      const { status, text } = await send(`/api/v1/models/${modelId}/scale`, { to: "stopped" });
      if (status !== 200) throw new Error(`scale to zero: ${status} ${text}`);
    },
    inventory: () =>
      takeInventory(engine, { dataDirectory: byom.dataDirectory, platformPid: platform.pid }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function ask(url: string, apiKey: string, body: unknown): Promise<Answer> {
  const startedAt = performance.now();
  const ms = (): number => Math.round(performance.now() - startedAt);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    const text = await response.text();
    const parsed = JSON.parse(text === "" ? "{}" : text) as { output?: Record<string, unknown> };
    return {
      status: response.status,
      mode: response.headers.get("x-byom-start") ?? undefined,
      reason: response.headers.get("x-byom-start-reason") ?? undefined,
      output: parsed.output,
      text,
      ms: ms(),
    };
  } catch (error) {
    const { name, message, cause } = error as Error;
    if (name === "TimeoutError") throw error;
    const text = `${message}: ${String(cause)}`;
    return { status: 0, mode: undefined, reason: undefined, output: undefined, text, ms: ms() };
  }
}
