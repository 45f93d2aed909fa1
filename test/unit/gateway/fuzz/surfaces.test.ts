// Whatever a caller sends, it gets an answer in the shape of the API that it speaks: no fault of the gateway's own, no
// hang, no error that its SDK cannot read.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { Pool } from "undici";
import { afterAll, beforeAll, expect, it } from "vitest";

import { standardShape, type CatalogEntry } from "../../../../gateway/index.ts";
import { adapters } from "../../../../gateway/upstream/provider/adapters/index.ts";
import type { Provider } from "../../../../gateway/upstream/provider/providers.ts";
import { callKey, chatModel, ocrModel, startHarness, type Harness } from "../harness.ts";
import { anyCase, type Case } from "./bodies.ts";
import { errorShapes } from "./routes.ts";

/** `FUZZ_CASES=30000 FUZZ_SEED=$RANDOM` for a long look elsewhere; by default the same cases every time. */
const cases = Number(process.env["FUZZ_CASES"] ?? 3_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 2026);
/** An answer that takes longer counts as a hang. */
const hangMs = 10_000;
const casesAtOnce = 10;

const png = "data:image/png;base64,iVBORw0KGgo=";
const uri = { type: "string", format: "uri" };

function model(id: string, fields: Partial<CatalogEntry>): CatalogEntry {
  return { ...chatModel, isStreaming: false, requestFormats: ["predictions"], ...fields, id };
}

const properties = (fields: Record<string, unknown>): Record<string, unknown> => ({
  type: "object",
  properties: fields,
  required: Object.keys(fields),
});

const models: readonly CatalogEntry[] = [
  chatModel,
  ocrModel,
  model("acme/embed", {
    task: "text-embeddings",
    inputSchema: properties({ texts: { type: "array", items: { type: "string" } } }),
    outputSchema: { type: "array", items: { type: "array", items: { type: "number" } } },
  }),
  model("acme/image", {
    task: "text-to-image",
    inputSchema: properties({ prompt: { type: "string" } }),
    outputSchema: uri,
  }),
  model("acme/speech", {
    task: "text-to-speech",
    inputSchema: properties({ text: { type: "string" } }),
    outputSchema: uri,
  }),
  model("acme/hear", {
    task: "automatic-speech-recognition",
    inputSchema: properties({ audio: uri }),
    outputSchema: { type: "string" },
  }),
  ...["third", "wire"].map((owner) =>
    model(`${owner}/chat`, {
      ...standardShape("text-generation"),
      upstreams: [{ kind: "provider", provider: owner, model: "m" }],
    }),
  ),
];

const outputs: Readonly<Record<string, unknown>> = { texts: [[0.5, 1]], text: png, prompt: png };

let harness: Harness;
let third: Server;
let pool: Pool;

beforeAll(async () => {
  third = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(429, { "retry-after": "1" }).end('{"error":{}}'));
  });
  await new Promise<void>((resolve) => third.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(third.address() as AddressInfo).port}/v1`;
  const adapter = adapters.get("openai-compatible");
  if (adapter === undefined) throw new Error("no adapter for OpenAI's protocol");
  const providers: readonly Provider[] = [
    { name: "third", adapter: { ...adapter, wirePaths: {} }, baseUrl, key: "k" },
    { name: "wire", adapter, baseUrl, key: "k" },
  ];
  harness = await startHarness({
    models,
    providers: { get: (name) => providers.find((one) => one.name === name), list: () => providers },
    deadlines: { commitMs: 50 },
    // What is tried again is waited for, and tests of its own look at that.
    more: { policy: { attempts: 1 } },
  });
  harness.coglet.play(async (prediction) => {
    if (prediction.isStreaming) {
      prediction.start();
      await prediction.output("Hello");
      prediction.complete();
    } else {
      const [name = ""] = Object.keys(prediction.input);
      prediction.complete({ output: outputs[name] ?? { text: "read" } });
    }
  });
  pool = new Pool(harness.url, { connections: casesAtOnce * 2, pipelining: 1 });
});

afterAll(async () => {
  await pool.destroy();
  await harness.close();
  third.closeAllConnections();
  third.close();
});

it(
  `answers ${cases} odd requests each in its surface's own shape`,
  { timeout: 10 * 60_000 },
  async () => {
    const statuses = new Map<number, number>();
    const batch = fc.array(anyCase, { minLength: casesAtOnce, maxLength: casesAtOnce });
    await fc.assert(
      fc.asyncProperty(batch, async (batchOfCases) => {
        const answers = await Promise.all(batchOfCases.map(send));
        for (const status of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
        expect(ownFaults()).toEqual([]);
      }),
      { seed, numRuns: Math.ceil(cases / casesAtOnce), endOnFailure: false },
    );
    const seen = [...statuses].toSorted(([a], [b]) => a - b);
    process.stdout.write(`answers by status: ${seen.map((pair) => pair.join("×")).join(", ")}\n`);
    // Were nearly everything refused for one trivial reason, the rest would not have been tried.
    expect(statuses.get(200) ?? 0).toBeGreaterThan(cases / 50);
    expect(harness.coglet.faults).toEqual([]);
  },
);

/** Faults that the gateway admits to, which no request may cause. */
function ownFaults(): readonly unknown[] {
  return harness.events
    .splice(0)
    .flatMap((event) =>
      event.type === "request-end" && event.error?.code === "internal"
        ? [`${event.method} ${event.path}: ${describe(event.cause)}`]
        : [],
    );
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

async function send({ route, body, headers }: Case): Promise<number> {
  const answer = await pool.request({
    path: route.path,
    method: route.method,
    headers: { authorization: `Bearer ${callKey}`, ...headers },
    body,
    signal: AbortSignal.timeout(hangMs),
  });
  const text = await answer.body.text();
  const what = `${route.method} ${route.path} → ${answer.statusCode} ${text.slice(0, 400)}`;
  expect(answer.headers["x-request-id"], what).toBeTypeOf("string");
  if (answer.statusCode >= 400) {
    expect(answer.headers["content-type"], what).toMatch(/^application\/(problem\+)?json/);
    const parsed = JSON.parse(text) as Record<string, unknown>;
    expect(errorShapes[route.surface](parsed), what).toBe(true);
  }
  return answer.statusCode;
}
