import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { AnswerCache } from "../../../../gateway/cache/answer-cache.ts";
import type { CachedEvent } from "../../../../gateway/cache/answer.ts";
import { canonicalBody } from "../../../../gateway/cache/canonical.ts";

const minute = 60_000;
let directory: string;
let now: number;
const open: AnswerCache[] = [];
const failures: unknown[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-cache-"));
  now = Date.parse("2026-11-23T12:00:00Z");
  failures.length = 0;
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()));
  await rm(directory, { recursive: true, force: true });
  expect(failures).toEqual([]);
});

function openCache(
  options: Partial<ConstructorParameters<typeof AnswerCache>[0]> = {},
): AnswerCache {
  const cache = new AnswerCache({
    directory,
    clock: () => now,
    onFail: (cause) => failures.push(cause),
    ...options,
  });
  open.push(cache);
  return cache;
}

const key = (letter: string): string => letter.repeat(64);
const ask = (
  letter: string,
  model = "acme/chat",
): { key: string; model: string; ttlMs: number } => ({
  key: key(letter),
  model,
  ttlMs: minute,
});

function events(text: string): readonly CachedEvent[] {
  return [
    { kind: "output", data: Buffer.from(JSON.stringify({ chunk: text, index: 0 })) },
    { kind: "completed", data: Buffer.from('{"status":"succeeded"}') },
  ];
}

/** What the next call of that kind would get; undefined: it would be sent. */
async function answerOf(cache: AnswerCache, letter: string): Promise<unknown> {
  const found = await cache.find(key(letter));
  return found === undefined
    ? undefined
    : (JSON.parse(found.events[0]?.data.toString() ?? "{}") as { chunk: unknown }).chunk;
}

describe("a stored answer", () => {
  test("is found until its time has passed, and not a millisecond longer", async () => {
    const cache = openCache();
    cache.store(ask("a"), events("one"), cache.generation);
    now += minute - 1;
    expect(await answerOf(cache, "a")).toBe("one");
    expect(cache.has(key("a"))).toBe(true);
    now += 1;
    expect(await answerOf(cache, "a")).toBeUndefined();
    expect(cache.has(key("a"))).toBe(false);
    expect(await answerOf(cache, "b")).toBeUndefined();
  });

  test("survives a restart with its events as they were", async () => {
    const first = openCache();
    first.store(ask("a"), events("ünd — 你好"), first.generation);
    await first.close();
    const second = openCache();
    expect(second.facts().disk.answers).toBe(1);
    expect((await second.find(key("a")))?.events).toEqual(events("ünd — 你好"));
    now += minute;
    expect(await openCache().find(key("a"))).toBeUndefined();
  });

  test("that is broken on disk is left out and removed: a half file must not become a half answer", async () => {
    const first = openCache();
    for (const letter of ["a", "b", "c"])
      first.store(ask(letter), events(letter), first.generation);
    await first.close();
    const names = (await readdir(directory)).toSorted();
    const [cut = "", flipped = "", renamed = ""] = names.map((name) => join(directory, name));
    await writeFile(cut, (await readFile(cut)).subarray(0, -3));
    const bytes = await readFile(flipped);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
    await writeFile(flipped, bytes);
    await writeFile(renamed, await readFile(cut));
    await writeFile(join(directory, "torn.answer.tmp"), "half");
    const second = openCache();
    for (const letter of ["a", "b", "c"]) expect(await answerOf(second, letter)).toBeUndefined();
    await second.close();
    expect(await readdir(directory)).toEqual([]);
  });

  test("is gone after a purge of its model, in memory and on disk, and others stay", async () => {
    const cache = openCache();
    cache.store(ask("a"), events("one"), cache.generation);
    cache.store(ask("b", "acme/other"), events("two"), cache.generation);
    await cache.purge("acme/chat");
    expect(await answerOf(cache, "a")).toBeUndefined();
    expect(await answerOf(cache, "b")).toBe("two");
    expect(await readdir(directory)).toHaveLength(1);
    await cache.purge();
    expect(await answerOf(openCache(), "b")).toBeUndefined();
    expect(await readdir(directory)).toEqual([]);
  });

  test("that began before a purge is not stored after it", async () => {
    const cache = openCache();
    const { generation } = cache;
    await cache.purge("acme/chat");
    cache.store(ask("a"), events("stale"), generation);
    expect(await answerOf(cache, "a")).toBeUndefined();
  });
});

describe("bounds", () => {
  test("of memory drop what was not asked for longest, which is read from disk again", async () => {
    const cache = openCache({ memoryBytesMax: 1_000 });
    for (const letter of ["a", "b", "c", "d", "e", "f"]) {
      cache.store(ask(letter), events(letter), cache.generation);
      await cache.find(key("a"));
    }
    expect(cache.facts().memory.bytes).toBeLessThanOrEqual(1_000);
    expect(cache.find(key("a"))).not.toBeInstanceOf(Promise);
    await cache.close();
    expect(cache.facts().disk.answers).toBeGreaterThan(cache.facts().memory.answers);
    const dropped = cache.find(key("b"));
    expect(dropped).toBeInstanceOf(Promise);
    expect(await answerOf(cache, "b")).toBe("b");
  });

  test("of the disk drop files, those of a former process included", async () => {
    const first = openCache();
    for (const letter of ["a", "b", "c"]) {
      now += 1;
      first.store(ask(letter), events(letter), first.generation);
    }
    await first.close();
    const { bytes } = first.facts().disk;
    const second = openCache({ diskBytesMax: bytes - 1 });
    await second.close();
    expect(await answerOf(second, "a")).toBeUndefined();
    expect(await answerOf(second, "c")).toBe("c");
    expect(await readdir(directory)).toHaveLength(2);
  });

  test("of one answer leave a large one out", async () => {
    const cache = openCache({ entryBytesMax: 200 });
    cache.store(ask("a"), events("x".repeat(200)), cache.generation);
    expect(await answerOf(cache, "a")).toBeUndefined();
  });
});

describe("a body as a key", () => {
  test("does not depend on white space and the order of its keys", () => {
    const one = canonicalBody(
      Buffer.from('{"model":"m", "messages":[{"role":"user","content":"é"}]}'),
    );
    const other = canonicalBody(
      Buffer.from('{"messages":[{"content":"\\u00e9","role":"user"}],\n"model":"m"}'),
    );
    expect(one).toBe(other);
  });

  test("tells apart what is not the same: order of a list, numbers as they are written, types", () => {
    const bodies = [
      '{"a":[1,2]}',
      '{"a":[2,1]}',
      '{"a":"1,2"}',
      '{"a":9007199254740993}',
      '{"a":9007199254740992}',
      '{"a":null}',
      "{}",
    ];
    expect(new Set(bodies.map((body) => canonicalBody(Buffer.from(body)))).size).toBe(
      bodies.length,
    );
  });

  test("is the bytes themselves where they are no JSON, or too deep to be walked", () => {
    expect(canonicalBody(Buffer.from("{"))).toBeUndefined();
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    expect(canonicalBody(Buffer.from(deep))).toBeUndefined();
  });
});
