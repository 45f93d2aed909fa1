// An answer is not lost because its connection was, nor because the platform was killed. Many streams of an own model and
// of a provider are cut at random bytes of random clients; then again while the platform is killed with kill -9 and
// started anew. If this fails, an app shows half an answer as a whole one, pays twice for one, or never sees its end.
//
// BYOM_STREAMS=1000 is the full size.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { seeded, startRandomCuts } from "../support/random-cuts.ts";
import {
  beginStream,
  readWhole,
  streamKinds,
  type BegunStream,
  type ReadStream,
} from "../support/stream-client.ts";
import type { StreamPlatformOptions } from "../support/stream-platform.ts";
import {
  scriptOf,
  startStreamUpstreams,
  type StreamUpstreams,
} from "../support/stream-upstreams.ts";

const streams = Number(process.env["BYOM_STREAMS"] ?? 200);
const seed = Number(process.env["BYOM_STREAMS_SEED"] ?? 42);
const program = fileURLToPath(new URL("../support/stream-platform.ts", import.meta.url));

let directory: string;
let upstreams: StreamUpstreams;
const paceMs = 8;
/** Whether some of the streams wait in their middle. */
let isHeld: boolean;
let platform: { readonly process: ChildProcess; readonly port: number };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-streams-"));
  isHeld = false;
  upstreams = await startStreamUpstreams({
    paceMs: () => paceMs,
    holdAt: (n) => (isHeld && n % 5 > 0 ? 1 + (n % 19) : undefined),
  });
  platform = await startPlatform(0);
});
afterEach(async () => {
  platform.process.kill("SIGKILL");
  await upstreams[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function startPlatform(port: number): Promise<typeof platform> {
  const options: StreamPlatformOptions = {
    directory,
    port,
    instance: upstreams.instance,
    provider: upstreams.provider,
    notes: join(directory, "notes"),
  };
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { process: child, port: Number(line.toString()) };
}

const origin = (): string => `http://127.0.0.1:${platform.port}`;

/** How often the ledger was told that a leg begins and ends, by call. */
async function readNotes(): Promise<{
  readonly begun: ReadonlyMap<string, number>;
  readonly ended: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}> {
  const begun = new Map<string, number>();
  const ended = new Map<string, number>();
  const faults: string[] = [];
  for (const line of (await readFile(join(directory, "notes"), "utf8")).trim().split("\n")) {
    const { type, callId } = JSON.parse(line) as { type: string; callId: string };
    if (type === "begin") begun.set(callId, (begun.get(callId) ?? 0) + 1);
    else if (type === "end") ended.set(callId, (ended.get(callId) ?? 0) + 1);
    else if (type === "fault") faults.push(callId);
  }
  return { begun, ended, faults };
}

/** The pieces that a stream says, whatever its shape. */
function piecesOf(text: string): readonly string[] {
  const pieces: string[] = [];
  for (const frame of text.split("\n\n")) {
    const name = /^event: (.*)$/m.exec(frame)?.[1];
    const data = [...frame.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line ?? "").join("\n");
    if (data === "" || data === "[DONE]") continue;
    if (name === "output") {
      pieces.push(data);
      continue;
    }
    if (name === "done") continue;
    const event = JSON.parse(data) as {
      response?: unknown;
      type?: string;
      delta?: unknown;
      choices?: readonly { delta?: { content?: string } }[];
    };
    const { delta } = event;
    const piece =
      event.choices?.[0]?.delta?.content ??
      (typeof event.response === "string" ? event.response : undefined) ??
      (event.type === "response.output_text.delta" ? String(delta) : undefined) ??
      (event.type === "content_block_delta" ? (delta as { text?: string }).text : undefined);
    if (piece !== undefined && piece !== "") pieces.push(piece);
  }
  return pieces;
}

/** How many events the end of a stream says that there were; undefined for one that ended well. */
function stoppedAfter(text: string): number | undefined {
  const found = /The platform stopped during this stream: it ends here, after (\d+) events/.exec(
    text,
  );
  return found === null ? undefined : Number(found[1]);
}

const isPassedOn = ({ kind }: ReadStream): boolean => kind.startsWith("chat of a provider");

async function beginAll(origins: string): Promise<readonly BegunStream[]> {
  return await Promise.all(
    Array.from({ length: streams }, async (_, n) => {
      // Not all in one turn: an app's calls come over time.
      await delay((n % 40) * 10);
      const kind = streamKinds[n % streamKinds.length] ?? streamKinds[0];
      return await beginStream(origins, { n, kind });
    }),
  );
}

async function assertPaidOnce(): Promise<{ readonly unended: number }> {
  const { begun, ended, faults } = await readNotes();
  expect(upstreams.faults).toEqual([]);
  expect(faults).toEqual([]);
  expect([...upstreams.calls.values()].filter((count) => count !== 1)).toEqual([]);
  expect(upstreams.calls.size).toBe(streams);
  expect([...begun.values()].filter((count) => count !== 1)).toEqual([]);
  expect([...ended.values()].filter((count) => count !== 1)).toEqual([]);
  expect(begun.size).toBe(streams);
  return { unended: begun.size - ended.size };
}

describe(`${streams} streams`, () => {
  it("are put together byte for byte by every kind of client, though each line is cut at random", async () => {
    const random = seeded(seed);
    await using line = await startRandomCuts({
      target: () => ({ host: "127.0.0.1", port: platform.port }),
      random,
      share: 0.75,
      withinBytes: 6_000,
    });
    const beganAt = performance.now();
    const begun = await beginAll(line.origin);
    const read = await Promise.all(begun.map((stream) => stream.read));
    const seconds = (performance.now() - beganAt) / 1_000;
    const wrong: string[] = [];
    for (const [n, stream] of read.entries()) {
      const isWhole = isPassedOn(stream)
        ? stream.text === upstreams.sent.get(n)
        : piecesOf(stream.text).join("") === scriptOf(n).join("");
      const isSame = stream.text === (await readWhole(origin(), stream.runId));
      if (!isWhole || !isSame) wrong.push(`${n} ${stream.kind}: ${stream.text.slice(-300)}`);
    }
    expect(wrong).toEqual([]);
    expect((await assertPaidOnce()).unended).toBe(0);
    const reconnects = read.reduce((sum, stream) => sum + stream.reconnects, 0);
    const bytes = read.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    console.log(
      `streams: ${streams} of ${streamKinds.length} kinds, ${line.cuts} cuts, ${reconnects} reconnects; ` +
        `${bytes} bytes put together, ${streams} upstream calls; ${seconds.toFixed(1)} s`,
    );
    expect(line.cuts).toBeGreaterThan(streams);
  });

  it("keep what was said when the platform is killed in the middle, and say where they end", async () => {
    isHeld = true;
    const expected = Array.from({ length: streams }, (_, n) => n).filter((n) => n % 5 > 0).length;
    await using line = await startRandomCuts({
      target: () => ({ host: "127.0.0.1", port: platform.port }),
      random: seeded(seed + 1),
      share: 0.3,
      withinBytes: 3_000,
    });
    const begun = await beginAll(line.origin);
    while (upstreams.held() < expected) await delay(50);
    // The others go on, to wherever they are when the platform dies.
    await delay(200);
    const exited = once(platform.process, "exit");
    platform.process.kill("SIGKILL");
    await exited;
    const readBefore = begun.reduce((sum, stream) => sum + stream.bytesRead(), 0);
    const startedAt = performance.now();
    upstreams.release();
    platform = await startPlatform(platform.port);
    const startMs = performance.now() - startedAt;
    const read = await Promise.all(begun.map((stream) => stream.read));
    const wrong: string[] = [];
    let stopped = 0;
    let lost = 0;
    for (const [n, stream] of read.entries()) {
      const events = stoppedAfter(stream.text);
      const isSame = stream.text === (await readWhole(origin(), stream.runId));
      const isRight = events === undefined ? isEnded(stream, n) : isPrefix(stream, n, events);
      if (events !== undefined) stopped += 1;
      if (stream.text.length < (begun[n]?.bytesRead() ?? 0) / 2) lost += 1;
      if (!isRight || !isSame) wrong.push(`${n} ${stream.kind}: ${stream.text.slice(-400)}`);
    }
    expect(wrong).toEqual([]);
    expect(lost).toBe(0);
    const { unended } = await assertPaidOnce();
    console.log(
      `streams: ${streams}, platform killed after ${readBefore} bytes were read: ${stopped} end there and say so, ` +
        `${streams - stopped} had ended; ${unended} legs left to the ledger as interrupted; ` +
        `started again in ${startMs.toFixed(0)} ms, ${line.cuts} cuts beside`,
    );
    expect(stopped).toBeGreaterThanOrEqual(expected);
    expect(unended).toBeGreaterThanOrEqual(expected);
    expect(unended).toBeLessThanOrEqual(stopped);
  });
});

/** A stream that the kill did not reach. */
function isEnded(stream: ReadStream, n: number): boolean {
  if (isPassedOn(stream)) return stream.text === upstreams.sent.get(n);
  return piecesOf(stream.text).join("") === scriptOf(n).join("");
}

/** What there is is how the upstream's stream began, and its end counts it. */
function isPrefix(stream: ReadStream, n: number, events: number): boolean {
  if (isPassedOn(stream)) {
    const frames = stream.text.split(/(?<=\n\n)/);
    const passedOn = frames.slice(0, -1).join("");
    return frames.length - 1 === events && upstreams.sent.get(n)?.startsWith(passedOn) === true;
  }
  const pieces = piecesOf(stream.text.replace(/event: error\ndata: .*\n\n/, "")).join("");
  return scriptOf(n).join("").startsWith(pieces) && pieces.length > 0;
}
