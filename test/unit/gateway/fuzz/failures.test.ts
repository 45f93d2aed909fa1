// Whatever upstreams do, one after the other or side by side, a caller gets the right text or an error in its API's own
// shape; nothing hangs, and each try stands in the ledger once, begun and ended.
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";

import type { UpstreamTarget } from "../../../../gateway/catalog/entry.ts";
import { goOn } from "../../../support/fault-answers.ts";
import {
  platformKey,
  startFaultPlatform,
  textModel,
  type FaultPlatform,
} from "../../../support/fault-platform.ts";
import {
  faults,
  startFaultServer,
  type Fault,
  type FaultServer,
} from "../../../support/fault-server.ts";
import { until } from "../harness.ts";
import { errorShapes } from "./routes.ts";

/** `FUZZ_FAILURES=3000 FUZZ_SEED=$RANDOM` for a long look elsewhere; by default the same cases every time. */
const cases = Number(process.env["FUZZ_FAILURES"] ?? 120);
const seed = Number(process.env["FUZZ_SEED"] ?? 2026);
const casesAtOnce = 12;
/** An answer that takes longer counts as a hang. */
const hangMs = 15_000;

const pieces = ["One, ", "two, ", "three."] as const;
const wholeText = pieces.join("");

const kinds = ["openai", "anthropic", "own"] as const;
type Kind = (typeof kinds)[number];

/** Every order of one, two or three upstreams. */
const orders: readonly (readonly Kind[])[] = kinds.flatMap((first) => [
  [first],
  ...kinds.flatMap((second) =>
    second === first
      ? []
      : [
          [first, second],
          [first, second, ...kinds.filter((k) => k !== first && k !== second)],
        ],
  ),
]);

interface Case {
  readonly order: readonly Kind[];
  /** What each upstream does to one request after the other, over again when it has come to the end. */
  readonly scripts: Readonly<Record<Kind, readonly (Fault | undefined)[]>>;
  readonly surface: "openai" | "anthropic";
  readonly isStreamed: boolean;
  readonly isHedged: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

const script = fc.array(fc.option(fc.constantFrom(...faults), { nil: undefined, freq: 3 }), {
  minLength: 1,
  maxLength: 4,
});
const anyCase: fc.Arbitrary<Case> = fc.record({
  order: fc.constantFrom(...orders),
  scripts: fc.record({ openai: script, anthropic: script, own: script }),
  surface: fc.constantFrom("openai", "anthropic"),
  isStreamed: fc.boolean(),
  isHedged: fc.boolean(),
  headers: fc.record(
    {
      "x-byom-on-cut": fc.constantFrom("fail", "restart", "continue"),
      "cf-aig-max-attempts": fc.constantFrom("1", "2", "3"),
      "cf-aig-retry-delay": fc.constantFrom("0", "20"),
      "cf-aig-backoff": fc.constantFrom("constant", "linear", "exponential"),
    },
    { requiredKeys: [] },
  ),
});

let servers: Readonly<Record<Kind, FaultServer>>;
let platforms: { readonly hedged: FaultPlatform; readonly plain: FaultPlatform };
const underWay = new Map<string, { readonly one: Case; readonly asked: Record<Kind, number> }>();

beforeAll(async () => {
  const start = (kind: Kind): Promise<FaultServer> =>
    startFaultServer({
      choose({ body }) {
        const id = /\[case (\d+)\]/.exec(JSON.stringify(body))?.[1] ?? "";
        const found = underWay.get(id);
        if (found === undefined) return undefined;
        const steps = found.one.scripts[kind];
        found.asked[kind] += 1;
        return steps[(found.asked[kind] - 1) % steps.length];
      },
      pieces: (request) => goOn(request, pieces),
    });
  const [openai, anthropic, own] = await Promise.all(kinds.map(start));
  if (openai === undefined || anthropic === undefined || own === undefined) throw new Error("none");
  servers = { openai, anthropic, own };
  const [hedged, plain] = await Promise.all([startPlatform(60), startPlatform(undefined)]);
  platforms = { hedged, plain };
});

afterAll(async () => {
  await Promise.all([platforms.hedged.close(), platforms.plain.close()]);
  await Promise.all(kinds.map((kind) => servers[kind].close()));
});

const modelOf = (order: readonly Kind[]): string => `fuzz/${order.join("-")}`;

function startPlatform(hedgeMs: number | undefined): Promise<FaultPlatform> {
  const target = (kind: Kind): UpstreamTarget =>
    kind === "own"
      ? { kind: "deployment", modelId: "own/model" }
      : { kind: "provider", provider: kind, model: "m" };
  return startFaultPlatform({
    entries: orders.map((order) => textModel(modelOf(order), { upstreams: order.map(target) })),
    providerOf: (name) =>
      name === "anthropic"
        ? { adapter: "anthropic", origin: servers.anthropic.origin }
        : { adapter: "openai-compatible", origin: servers.openai.origin },
    instanceOf: () => servers.own.origin,
    gateway: {
      deadlines: { firstByteMs: 250, idleMs: 250, totalMs: 1_500, commitMs: 3_000 },
      policy: {
        retryDelayMs: 10,
        retryDelayMaxMs: 100,
        deadlines: { firstOutputMs: 400 },
        ...(hedgeMs !== undefined && { hedgeMs }),
      },
    },
  });
}

let numbers = 0;

/** What came of a case: the text as its reader has it, or the failure that it was told of. */
async function send(one: Case): Promise<"answered" | "failed"> {
  const id = String((numbers += 1));
  underWay.set(id, { one, asked: { openai: 0, anthropic: 0, own: 0 } });
  const platform = one.isHedged ? platforms.hedged : platforms.plain;
  const path = one.surface === "openai" ? "/v1/chat/completions" : "/v1/messages";
  const response = await fetch(`${platform.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${platformKey}`, ...one.headers },
    body: JSON.stringify({
      model: modelOf(one.order),
      max_tokens: 50,
      messages: [{ role: "user", content: `Count. [case ${id}]` }],
      stream: one.isStreamed,
    }),
    signal: AbortSignal.timeout(hangMs),
  });
  const text = await response.text();
  const what = `${JSON.stringify(one)} → ${response.status} ${text}`;
  if (response.status !== 200) {
    expect(response.status, what).toBeGreaterThanOrEqual(400);
    expect(errorShapes[one.surface](JSON.parse(text) as Record<string, unknown>), what).toBe(true);
    return "failed";
  }
  if (!one.isStreamed) {
    expect(wholeAnswer(one.surface, JSON.parse(text)), what).toBe(wholeText);
    return "answered";
  }
  const { said, failure, isEnded } = readStream(text);
  // It ends with its last word or with an error, and with one of them only.
  expect(isEnded, what).toBe(failure === undefined);
  if (failure === undefined) expect(said, what).toBe(wholeText);
  else expect(errorShapes[one.surface](failure), what).toBe(true);
  return failure === undefined ? "answered" : "failed";
}

function wholeAnswer(surface: Case["surface"], body: unknown): string {
  if (surface === "openai") {
    const { choices } = body as { readonly choices: readonly [{ message: { content: string } }] };
    return choices[0].message.content;
  }
  const { content } = body as { readonly content: readonly { readonly text: string }[] };
  return content.map(({ text }) => text).join("");
}

interface Read {
  said: string;
  failure: Record<string, unknown> | undefined;
  isEnded: boolean;
}

/** Reads a stream as a client does that knows what `byom` tells it. */
function readStream(text: string): Read {
  const read: Read = { said: "", failure: undefined, isEnded: false };
  for (const frame of text.split("\n\n")) {
    const data = frame.split("\n").find((line) => line.startsWith("data: "));
    if (data === undefined) continue;
    if (data === "data: [DONE]") read.isEnded = true;
    else take(read, JSON.parse(data.slice("data: ".length)) as Record<string, unknown>);
  }
  return read;
}

function take(read: Read, event: Record<string, unknown>): void {
  const { type, error, byom, choices, delta } = event as {
    readonly type?: string;
    readonly error?: unknown;
    readonly byom?: { readonly type: string };
    readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
    readonly delta?: { readonly text?: string };
  };
  if (error !== undefined) read.failure = event;
  if (type === "message_stop") read.isEnded = true;
  if (byom?.type === "restart" || type === "byom.restart") read.said = "";
  read.said += choices?.[0]?.delta?.content ?? delta?.text ?? "";
}

it(
  `answers ${cases} calls over failing upstreams with the right text or an error`,
  { timeout: 15 * 60_000 },
  async () => {
    const tally = { answered: 0, failed: 0 };
    const batch = fc.array(anyCase, { minLength: casesAtOnce, maxLength: casesAtOnce });
    await fc.assert(
      fc.asyncProperty(batch, async (batchOfCases) => {
        for (const end of await Promise.all(batchOfCases.map(send))) tally[end] += 1;
      }),
      { seed, numRuns: Math.ceil(cases / casesAtOnce), endOnFailure: true },
    );
    process.stdout.write(`answered ${tally.answered}, failed ${tally.failed}\n`);
    // Were nearly everything lost, or nothing, the rest would not have been tried.
    expect(tally.answered).toBeGreaterThan(cases / 4);
    expect(tally.failed).toBeGreaterThan(cases / 20);
    for (const platform of [platforms.hedged, platforms.plain]) {
      expect(platform.ownFaults).toEqual([]);
      await until("every leg has ended", () => platform.ended.length >= platform.begun.length);
      const begun = platform.begun.map(({ id }) => id).toSorted();
      expect(platform.ended.map(({ id }) => id).toSorted()).toEqual(begun);
      expect(new Set(begun).size).toBe(begun.length);
    }
    const open = (): number => kinds.reduce((sum, kind) => sum + servers[kind].openAnswers(), 0);
    await until("every upstream is let go", () => open() === 0);
  },
);
