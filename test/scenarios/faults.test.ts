// Whatever an upstream does wrong, a caller with an unmodified SDK gets the right text or an error in its API's own
// shape, never half an answer as a whole one; a second upstream saves the call; and every try is in the record with its
// reason and its tokens.
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { CatalogEntry } from "../../gateway/index.ts";
import type { CallRecord } from "../../gateway/telemetry/call-record.ts";
import type { RoutePolicy } from "../../gateway/route/policy.ts";
import { goOn } from "../support/fault-answers.ts";
import { startFaultPlatform, textModel, type FaultPlatform } from "../support/fault-platform.ts";
import {
  faults,
  openUnreachable,
  retryAfterSeconds,
  startFaultServer,
  unreachableFaults,
  type Fault,
  type FaultServer,
} from "../support/fault-server.ts";
import { lanes, type Lane, type Seen } from "./faults/lanes.ts";
import { expectedCodes, isAfterOutput, pieces, waitedFor, wholeText } from "./faults/expected.ts";
import { printTable } from "./faults/table.ts";

interface Cell {
  readonly id: string;
  readonly fault: Fault;
  readonly lane: Lane;
  readonly isStreamed: boolean;
  readonly hasSecond: boolean;
}

/** A call that takes longer hangs; every deadline of this gateway is well below. */
const hangMs = 20_000;
/** An accepted prediction waits for an upstream that did not begin it: after this time it finds one that is well. */
const mendedAfterMs = 1_500;

const cells: readonly Cell[] = faults.flatMap((fault) =>
  lanes.flatMap((lane, laneIndex) =>
    [true, false].flatMap((isStreamed) =>
      [false, true].map((hasSecond) => ({
        id: [faults.indexOf(fault), laneIndex, Number(isStreamed), Number(hasSecond)].join("-"),
        fault,
        lane,
        isStreamed,
        hasSecond,
      })),
    ),
  ),
);
const cellById = new Map(cells.map((cell) => [cell.id, cell]));
const modelOf = ({ id }: Cell): string => `sick/${id}`;
const isBroken = ({ fault, isStreamed }: Cell): boolean => isStreamed && isAfterOutput(fault);
const isWaitedFor = ({ fault, lane, hasSecond }: Cell): boolean =>
  lane.isAccepted && !hasSecond && waitedFor.has(fault);

const entries: readonly CatalogEntry[] = cells.map((cell) => {
  const { id, lane, hasSecond, isStreamed } = cell;
  const targets = hasSecond ? [lane.first(id), lane.second(id)] : [lane.first(id)];
  const isOwn = targets[0]?.kind === "deployment";
  return textModel(modelOf(cell), {
    upstreams: targets,
    // So that an own model's answer comes whole.
    ...(isOwn && !isStreamed && { isStreaming: false }),
  });
});

let sick: FaultServer;
let well: FaultServer;
let unreachable: Awaited<ReturnType<typeof openUnreachable>>;
const mended = new Set<string>();
const marker = /\[cell ([\d-]+)\]/;

function faultOf(id: string): Fault | undefined {
  return mended.has(id) ? undefined : cellById.get(id)?.fault;
}

beforeAll(async () => {
  unreachable = await openUnreachable();
  sick = await startFaultServer({
    choose: ({ body }) => faultOf(marker.exec(JSON.stringify(body))?.[1] ?? ""),
    pieces: () => pieces,
  });
  well = await startFaultServer({
    choose: () => undefined,
    pieces: (request) => goOn(request, pieces),
  });
});
afterAll(async () => {
  await Promise.all([sick.close(), well.close(), unreachable.close()]);
});

function originOf(name: string): string {
  if (!name.startsWith("sick")) return well.origin;
  const fault = faultOf(name.split(/[-/]/).slice(-4).join("-"));
  return fault !== undefined && unreachableFaults.has(fault)
    ? (unreachable.get(fault) ?? sick.origin)
    : sick.origin;
}

function startPlatform(policy: Partial<RoutePolicy>): Promise<FaultPlatform> {
  return startFaultPlatform({
    entries,
    providerOf: (name) => ({
      adapter: name.includes("anthropic") ? "anthropic" : "openai-compatible",
      origin: originOf(name),
    }),
    instanceOf: originOf,
    gateway: {
      deadlines: {
        connectMs: 3_000,
        firstByteMs: 2_000,
        idleMs: 1_500,
        totalMs: 6_000,
        commitMs: 15_000,
      },
      policy: {
        retryDelayMs: 20,
        // The 429 asks for more: that is not waited for.
        retryDelayMaxMs: 200,
        deadlines: { firstOutputMs: 3_000 },
        ...policy,
      },
    },
  });
}

interface Result {
  readonly seen: Seen | "hangs";
  readonly record: CallRecord | undefined;
}

async function run(platform: FaultPlatform, cell: Cell): Promise<Result> {
  let hang: NodeJS.Timeout | undefined;
  const hanging = new Promise<"hangs">((resolve) => {
    hang = setTimeout(() => resolve("hangs"), hangMs);
  });
  const mending = isWaitedFor(cell)
    ? setTimeout(() => mended.add(cell.id), mendedAfterMs)
    : undefined;
  const calling = cell.lane.call(platform.url, {
    model: modelOf(cell),
    prompt: `Count. [cell ${cell.id}]`,
    isStreamed: cell.isStreamed,
  });
  const seen = await Promise.race([calling, hanging]);
  clearTimeout(hang);
  clearTimeout(mending);
  return { seen, record: await recordOf(platform, modelOf(cell)) };
}

/** The record is written when the call has ended, which its caller may hear of a moment earlier. */
async function recordOf(platform: FaultPlatform, model: string): Promise<CallRecord | undefined> {
  for (let tries = 0; tries < 100; tries += 1) {
    const found = platform.calls.find(({ requestedModel }) => requestedModel === model);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return undefined;
}

const codesOf = (record: CallRecord | undefined): readonly string[] =>
  (record?.legs ?? []).map(({ end }) => end.code ?? end.state);

/** A word for the table: `ok`, what the caller was told, or that it was told nothing. */
function told({ seen }: Result): string {
  if (seen === "hangs") return "HANGS";
  if (seen.failure === undefined) return ["ok", ...seen.turns].join(" ");
  return String(seen.failure.status ?? "error");
}

function sawEnd({ seen }: Result): Seen {
  if (seen === "hangs") throw new Error("the call hangs");
  return seen;
}

function expectNoSuccess(cell: Cell, result: Result): void {
  const { text, failure } = sawEnd(result);
  expect(failure, `an answer ${JSON.stringify(text)} that nobody gave`).toBeDefined();
  expect(failure?.isOwnShape, failure?.message).toBe(true);
  expect(wholeText.startsWith(text), text).toBe(true);
  expect(result.record?.status).toBe("failed");
  expect(result.record?.legs.length).toBeGreaterThan(0);
  for (const code of codesOf(result.record)) expect(expectedCodes(cell.fault)).toContain(code);
  if (cell.fault === "429" && failure?.status === 429) {
    expect(failure.retryAfter).toBe(String(retryAfterSeconds));
  }
}

function expectSaved(cell: Cell, result: Result, turns: readonly string[] = []): void {
  expect(sawEnd(result)).toEqual({ text: wholeText, turns });
  const { record } = result;
  expect(record?.status).toBe("succeeded");
  const [first, ...rest] = codesOf(record);
  expect(expectedCodes(cell.fault)).toContain(first);
  expect(rest).toEqual(["succeeded"]);
  expect(record?.legs[1]?.end.usage).toMatchObject({ inputTokens: 11, isEstimated: false });
}

/** What came through of a broken answer has been paid for. */
function expectCounted(cell: Cell, { record }: Result): void {
  const [broken] = record?.legs ?? [];
  expect(broken?.end.usage?.isEstimated, JSON.stringify(broken?.end)).toBe(true);
  expect(broken?.end.usage?.outputTokens).toBeGreaterThan(0);
  expect(broken?.cost.nanoUsd, cell.id).toBeGreaterThan(0);
  expect(broken?.cost.isEstimated).toBe(true);
}

/** Runs cells at the same time; every one that went wrong is told of. */
async function runAll(
  platform: FaultPlatform,
  {
    cells: own,
    check,
  }: { readonly cells: readonly Cell[]; readonly check: typeof expectNoSuccess },
): Promise<readonly (readonly [Cell, Result])[]> {
  const results = await Promise.all(
    own.map(async (cell) => [cell, await run(platform, cell)] as const),
  );
  const problems = results.flatMap(([cell, result]) => {
    try {
      check(cell, result);
      return [];
    } catch (error) {
      const { lane, isStreamed, hasSecond } = cell;
      const where = `${lane.name}, ${isStreamed ? "stream" : "whole"}, ${hasSecond ? "second" : "alone"}`;
      const seen = JSON.stringify(result.seen);
      return [
        `${where}: ${(error as Error).message}\n  seen ${seen}, legs ${codesOf(result.record).join(" → ")}`,
      ];
    }
  });
  expect.soft(problems.join("\n")).toBe("");
  return results;
}

/** Each leg has begun and ended once, and no upstream is still at work for nobody. */
async function expectTidy(platform: FaultPlatform): Promise<void> {
  expect(platform.ownFaults).toEqual([]);
  const begun = platform.begun.map(({ id }) => id).toSorted();
  expect(new Set(begun).size).toBe(begun.length);
  expect(platform.ended.map(({ id }) => id).toSorted()).toEqual(begun);
  for (let tries = 0; sick.openAnswers() > 0 && tries < 300; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(sick.openAnswers()).toBe(0);
}

function table(title: string, rows: readonly (readonly [Cell, Result])[]): void {
  printTable(
    title,
    rows.map(([cell, result]) => ({
      row: `${cell.fault} ${cell.isStreamed ? "stream" : "whole"}`,
      column: cell.lane.name,
      word: cell.hasSecond ? `${told(result)}` : told(result),
      isSecond: cell.hasSecond,
    })),
  );
}

describe("what nobody has seen is saved by a second upstream, and never a success without one", () => {
  let platform: FaultPlatform;
  const rows: (readonly [Cell, Result])[] = [];
  beforeAll(async () => {
    platform = await startPlatform({ onStreamCut: "fail" });
  });
  afterAll(async () => {
    table("alone / with a second upstream; a stream that is cut fails", rows);
    await platform.close();
  });

  it.each(faults)("%s", { timeout: 60_000 }, async (fault) => {
    const results = await runAll(platform, {
      cells: cells.filter((cell) => cell.fault === fault),
      check(cell, result) {
        if (isWaitedFor(cell)) {
          expect(sawEnd(result)).toEqual({ text: wholeText, turns: [] });
          expect(result.record?.status).toBe("succeeded");
        } else if (!cell.hasSecond || (isBroken(cell) && !cell.lane.isAccepted)) {
          expectNoSuccess(cell, result);
        } else {
          // What is accepted begins anew rather than to fail, and says so to those who read along.
          expectSaved(cell, result, isBroken(cell) ? ["restart"] : []);
        }
        if (isBroken(cell)) expectCounted(cell, result);
      },
    });
    rows.push(...results);
  });

  it("leaves nothing behind", async () => {
    expect(platform.calls).toHaveLength(cells.length);
    await expectTidy(platform);
  });
});

describe.each([
  { onStreamCut: "restart", turn: "restart" },
  { onStreamCut: "continue", turn: "handover" },
] as const)("a stream that is cut, with $onStreamCut", ({ onStreamCut, turn }) => {
  let platform: FaultPlatform;
  const rows: (readonly [Cell, Result])[] = [];
  beforeAll(async () => {
    platform = await startPlatform({ onStreamCut });
  });
  afterAll(async () => {
    table(`with a second upstream: ${onStreamCut}`, rows);
    await platform.close();
  });

  it.each(faults.filter(isAfterOutput))("%s", { timeout: 60_000 }, async (fault) => {
    const results = await runAll(platform, {
      cells: cells.filter((cell) => cell.fault === fault && cell.hasSecond && isBroken(cell)),
      check(cell, result) {
        const { text, turns } = sawEnd(result);
        const hasAll = fault === "cut-before-end" && text === wholeText;
        // Of a text that was complete but for its end nothing is left to go on with.
        if (hasAll && turns.length === 1) expect(result.record?.status).toBe("succeeded");
        // A prompt alone has no place for half an answer.
        else expectSaved(cell, result, [cell.lane.isAccepted ? "restart" : turn]);
        expectCounted(cell, result);
      },
    });
    rows.push(...results);
  });

  it("leaves nothing behind", () => expectTidy(platform));
});

describe("Retry-After", () => {
  it("is waited for where there is no other upstream", async () => {
    const [lane] = lanes;
    if (lane === undefined) throw new Error("no lane");
    const asked: number[] = [];
    const server = await startFaultServer({
      choose: ({ at }) => (asked.push(at) === 1 ? "429" : undefined),
      pieces: () => pieces,
    });
    const platform = await startFaultPlatform({
      entries: [textModel("them/chat", { upstreams: [lane.first("0-0-0-0")] })],
      providerOf: () => ({ adapter: "openai-compatible", origin: server.origin }),
      instanceOf: originOf,
    });
    const request = { model: "them/chat", prompt: "Count.", isStreamed: true };
    expect(await lane.call(platform.url, request)).toEqual({ text: wholeText, turns: [] });
    const [first = 0, second = 0] = asked;
    expect(second - first).toBeGreaterThanOrEqual(retryAfterSeconds * 1000 - 5);
    expect(platform.ended.map(({ end }) => end.code ?? end.state)).toEqual([
      "rate_limited",
      "succeeded",
    ]);
    await platform.close();
    await server.close();
  });
});
