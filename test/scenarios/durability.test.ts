// Accepted means not lost. A thousand asynchronous predictions are posted while the platform is killed three times with
// kill -9. If this fails, an app that was told "201, your prediction is on its way" waits for ever, is told twice that
// it ended in different ways, or its webhook never comes.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { validateWebhook } from "replicate";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createByom, type Byom } from "../support/byom.ts";
import { removeImage } from "../support/images.ts";
import { createModelRepo, type ModelRepo } from "../support/model-repo.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

const modelId = "durability/echo";
const image = "cog-durability-echo";
const predictions = 1_000;
/** Posted at once. */
const clients = 8;
/** The platform is killed when this many have been accepted. */
const killsAt: readonly number[] = [250, 500, 750];
/** From the last acceptance to the last webhook. */
const drainTimeoutMs = 60_000;

interface Told {
  readonly id: string;
  readonly status: string;
  readonly output: unknown;
}

let byom: Byom;
let registry: TestRegistry;
let repo: ModelRepo;
let receiver: Server;
let secret = "";
/** What the receiver was told at an end: for each prediction its message ids and what they said. */
const ends = new Map<string, { readonly messages: Set<string>; readonly told: Told[] }>();
let forged = 0;
let unanswered = 0;

beforeAll(async () => {
  registry = await startRegistry();
  byom = await createByom({ BYOM_REGISTRY: registry.host });
  repo = await createModelRepo({
    "durability-echo/cog.yaml":
      'build:\n  python_version: "3.11"\nconcurrency:\n  max: 4\nrun: run.py:Runner\n',
    "durability-echo/run.py": `from cog import BaseRunner


class Runner(BaseRunner):
    async def run(self, text: str) -> str:
        return "echo: " + text
`,
  });
  receiver = createServer((request, response) => {
    // Receivers fail as well: every twentieth delivery is lost, and must come again.
    unanswered += 1;
    if (unanswered % 20 === 0) {
      response.writeHead(503).end();
      return;
    }
    void hear(request, request.headers).then(() => response.writeHead(200).end());
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await repo[Symbol.asyncDispose]();
  await new Promise((resolve) => receiver.close(resolve));
  await removeImage(image);
});

it("ends each of a thousand accepted predictions exactly once, though the platform is killed three times", async () => {
  let platform = await start();
  await byom.json("-C", `${repo.directory}/durability-echo`, "push", modelId);
  const { apiKey } = await byom.access();
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  secret = await readSecret(platform.url, headers);
  const beganAt = performance.now();

  const accepted = new Set<string>();
  const kills: number[] = [];
  let next = 0;
  let restarting: Promise<void> | undefined;
  const restart = async (): Promise<void> => {
    kills.push(accepted.size);
    process.kill(platform.pid, "SIGKILL");
    platform = await start();
  };
  /** Posts until it is accepted, under an id of its own, so that a lost answer costs no second prediction. */
  const post = async (index: number): Promise<void> => {
    const id = `durable-${index}`;
    const body = JSON.stringify({
      version: modelId,
      input: { text: String(index) },
      webhook: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`,
      webhook_events_filter: ["completed"],
    });
    for (;;) {
      await restarting;
      try {
        const url = `${platform.url}/v1/predictions/${id}`;
        const response = await fetch(url, { method: "PUT", headers, body });
        const answer = (await response.json()) as { id?: string };
        if (response.ok && answer.id === id) break;
        if (response.status !== 503)
          throw new Error(`${response.status} ${JSON.stringify(answer)}`);
      } catch (error) {
        // The platform is gone at the moment: the answer, or the prediction itself, was lost.
        if (!(error instanceof TypeError)) throw error;
      }
      await delay(50);
    }
    accepted.add(id);
    if (kills.length < killsAt.length && accepted.size >= (killsAt[kills.length] ?? 0)) {
      restarting = restart();
    }
  };
  const client = async (): Promise<void> => {
    while (next < predictions) {
      next += 1;
      await post(next);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  await restarting;
  expect(kills).toHaveLength(killsAt.length);
  expect(accepted.size).toBe(predictions);

  const deadline = performance.now() + drainTimeoutMs;
  while (ends.size < predictions && performance.now() < deadline) await delay(100);

  const finals = await readFinals(platform.url, headers, [...accepted]);
  const lost = [...accepted].filter((id) => !ends.has(id));
  const contradicted = [...ends].filter(
    ([id, { messages, told }]) =>
      messages.size !== 1 || told.some(({ status }) => status !== finals.get(id)?.status),
  );
  const byStatus: Record<string, number> = {};
  let repeated = 0;
  for (const [id, { status, output }] of finals) {
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    repeated += (ends.get(id)?.told.length ?? 1) - 1;
    if (status === "succeeded") expect(output).toBe(`echo: ${id.slice("durable-".length)}`);
  }
  console.log(
    `durability: ${accepted.size} accepted, killed at ${kills.join(", ")}; ${JSON.stringify(byStatus)}; ` +
      `${ends.size} webhooks, ${repeated} of them again; ${((performance.now() - beganAt) / 1000).toFixed(1)} s`,
  );
  expect({ lost, contradicted, forged }).toEqual({ lost: [], contradicted: [], forged: 0 });
  expect(Object.keys(byStatus).every((status) => ["succeeded", "failed"].includes(status))).toBe(
    true,
  );
  // Only what was running at a kill may fail: at most one per slot and kill.
  expect(byStatus["failed"] ?? 0).toBeLessThanOrEqual(killsAt.length * 4);
});

async function start(): Promise<{ readonly url: string; readonly pid: number }> {
  return await byom.json("up", "--detach", "--port", "0", "--allow-host", "127.0.0.1");
}

async function readSecret(url: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(`${url}/v1/webhooks/default/secret`, { headers });
  return ((await response.json()) as { key: string }).key;
}

/** Notes one delivery, once its signature has been checked as an app checks it. */
async function hear(
  request: AsyncIterable<Buffer>,
  headers: Readonly<Record<string, unknown>>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString("utf8");
  const id = String(headers["webhook-id"]);
  const timestamp = String(headers["webhook-timestamp"]);
  const signature = String(headers["webhook-signature"]);
  if (!(await validateWebhook({ id, timestamp, signature, body, secret }))) {
    forged += 1;
    return;
  }
  const told = JSON.parse(body) as Told;
  const end = ends.get(told.id) ?? { messages: new Set<string>(), told: [] };
  end.messages.add(id);
  end.told.push(told);
  ends.set(told.id, end);
}

/** The state of every prediction, read one page after the other as a client does. */
async function readFinals(
  url: string,
  headers: Record<string, string>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Told>> {
  const found = new Map<string, Told>();
  let next: string | null = `${url}/v1/predictions`;
  while (next !== null) {
    const page = (await (await fetch(next, { headers })).json()) as {
      results: readonly Told[];
      next: string | null;
    };
    for (const prediction of page.results) {
      expect(found.has(prediction.id), `${prediction.id} is listed twice`).toBe(false);
      found.set(prediction.id, prediction);
    }
    next = page.next;
  }
  expect(ids.filter((id) => !found.has(id))).toEqual([]);
  return found;
}
