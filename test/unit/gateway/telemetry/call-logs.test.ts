// The log is what an operator has when a customer asks what happened: it must find the call, keep nobody's secrets, forget
// what it is told to forget, and never be why a call was slow.
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CallLogs } from "../../../../gateway/telemetry/logs/call-logs.ts";
import type { Condition } from "../../../../gateway/telemetry/logs/condition.ts";
import { readLogQuery } from "../../../../gateway/telemetry/logs/query.ts";
import { defaultLogSettings } from "../../../../gateway/telemetry/logs/settings.ts";
import { beganAtMs, leg, record } from "./records.ts";

let directory: string;
let logs: CallLogs;
let now = beganAtMs;

function open(): CallLogs {
  return new CallLogs({
    dataDirectory: directory,
    clock: () => now,
    secrets: () => ["provider-secret-0815"],
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-logs-"));
  now = beganAtMs;
  logs = open();
});

afterEach(async () => {
  await logs.close();
  await rm(directory, { recursive: true, force: true });
});

const ids = async (query: string): Promise<readonly string[]> => {
  const conditions = readLogQuery(new URLSearchParams(query), { nowMs: now });
  const { entries } = await logs.search({ conditions, limit: 100 });
  return entries.map(({ id }) => id);
};

const anthropicOrigin = { requestId: "req_9", surface: "anthropic", path: "/v1/messages" };
const asked = { requestId: "req_1", surface: "openai", path: "/v1/x", collectPayload: true };

describe("an entry", () => {
  it("says all that is known of a call with two legs", async () => {
    const start = { mode: "restored", totalMs: 80, phases: [{ name: "criu", ms: 70 }] } as const;
    logs.record(
      record({
        origin: { ...anthropicOrigin, eventId: "ev", traceId: "ab".repeat(16) },
        requestedModel: "dynamic/cheap",
        route: "dynamic/cheap",
        metadata: { team: "search", paid: true, shard: 7 },
        isStreamed: true,
        nanoUsd: 1_234_567_890,
        legs: [
          leg(
            { provider: "openai", upstreamModel: "gpt-5", cost: { ...leg().cost, nanoUsd: 0 } },
            { state: "failed", code: "upstream_failed", error: "502 from there", status: 502 },
          ),
          leg({ id: "c1.1", index: 1, beganAtMs: beganAtMs + 7 }, { start, instanceId: "i-1" }),
        ],
      }),
    );
    expect(await logs.get("c1")).toEqual({
      id: "c1",
      requestId: "req_9",
      eventId: "ev",
      surface: "anthropic",
      path: "/v1/messages",
      traceId: "ab".repeat(16),
      createdAt: "2026-11-23T12:00:00.000Z",
      durationMs: 25.123,
      firstOutputMs: 6,
      requestedModel: "dynamic/cheap",
      model: "acme/chat",
      task: "text-generation",
      provider: "byom",
      route: "dynamic/cheap",
      keyId: "key-1",
      metadata: { team: "search", paid: true, shard: 7 },
      isStreamed: true,
      isCached: false,
      status: "succeeded",
      statusCode: 200,
      tokensIn: 8,
      tokensOut: 6,
      nanoUsd: 1_234_567_890,
      costUsd: "1.23456789",
      start,
      hasPayload: false,
      legs: [
        expect.objectContaining({
          index: 0,
          afterMs: 0,
          provider: "openai",
          upstreamModel: "gpt-5",
          state: "failed",
          code: "upstream_failed",
          error: "502 from there",
          status: 502,
          nanoUsd: 0,
        }),
        expect.objectContaining({
          id: "c1.1",
          index: 1,
          afterMs: 7,
          firstOutputMs: 5,
          state: "succeeded",
          start,
          instanceId: "i-1",
          lines: [{ unit: "output-token", quantity: 3, nanoUsd: 1_500 }],
        }),
      ],
    });
  });

  it("outlives the process, also when that ended before anything was written", async () => {
    logs.record(record());
    await logs.close();
    logs = open();
    expect((await logs.get("c1"))?.requestId).toBe("req_1");
  });

  it("is of the call's end: what a leg does later changes nothing", async () => {
    const legs = [leg()];
    logs.record(record({ legs }));
    legs.push(leg({ id: "c1.1", index: 1 }));
    expect((await logs.get("c1"))?.legs).toHaveLength(1);
  });
});

describe("a search", () => {
  beforeEach(() => {
    logs.record(record({ id: "old", beganAtMs: beganAtMs - 3_600_000, metadata: { team: "a" } }));
    logs.record(record({ id: "dear", nanoUsd: 2_000_000_000, metadata: { team: "a", user: "b" } }));
    logs.record(
      record({
        id: "slow",
        durationMs: 9_000,
        model: "openai/gpt-5",
        keyId: "key-2",
        status: "failed",
        code: "upstream_timeout",
        error: "No answer from zeppelin within 9 s",
      }),
    );
    logs.record(record({ id: "cached", isCached: true, metadata: { team: "b", user: "a" } }));
  });

  // One test: each one has threads of its own.
  it("finds by every field, and by several at once", async () => {
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ["", ["cached", "slow", "dear", "old"]],
      ["from=30m", ["cached", "slow", "dear"]],
      ["to=2026-11-23T11:30:00Z", ["old"]],
      ["model=openai/*", ["slow"]],
      ["key=key-2", ["slow"]],
      ["status=failed,canceled", ["slow"]],
      ["code=upstream_timeout", ["slow"]],
      ["status_code=504", ["slow"]],
      ["metadata=team=a", ["dear", "old"]],
      ["metadata=user", ["cached", "dear"]],
      ["metadata=team=a&metadata=user=b", ["dear"]],
      ["metadata=team=a' OR 1=1 --", []],
      ["min_cost=1.5", ["dear"]],
      ["min_duration=5000", ["slow"]],
      ["text=ZEPP within", ["slow"]],
      ['text="zeppelin" NOT x', []],
      ["cached=true", ["cached"]],
      ["id=dear", ["dear"]],
      ["request_id=req_1&provider=byom&surface=openai&cached=false", ["slow", "dear", "old"]],
    ];
    for (const [query, found] of cases) expect(await ids(query), query).toEqual(found);
  });

  it.each(["team=a", "min_cost=much", "from=yesterday", "cached=maybe", "text=..."])(
    "refuses %s in words instead of finding everything",
    (query) => {
      expect(() => readLogQuery(new URLSearchParams(query), { nowMs: now })).toThrow(
        expect.objectContaining({ code: "invalid_request" }),
      );
    },
  );

  it("goes through all pages once, whatever ends meanwhile", async () => {
    const seen: string[] = [];
    let beyond: number | undefined;
    for (let page = 0; page === 0 || beyond !== undefined; page += 1) {
      const found = await logs.search({
        conditions: [],
        limit: 2,
        ...(beyond !== undefined && { beyond }),
      });
      seen.push(...found.entries.map(({ id }) => id));
      beyond = found.next;
      logs.record(record({ id: `new${page}` }));
    }
    expect(seen).toEqual(["cached", "slow", "dear", "old"]);
  });
});

describe("what is kept", () => {
  it("is no payload unless the caller asks for it", async () => {
    const payload = () => ({ input: { prompt: "hello" }, output: "you" });
    logs.record(record({ id: "silent", payload }));
    logs.record(record({ id: "asked", payload, origin: asked }));
    logs.record(record({ id: "none", payload, origin: { ...asked, collectLog: false } }));
    expect(await logs.payload("silent")).toBeUndefined();
    expect(await logs.payload("asked")).toEqual({ input: { prompt: "hello" }, output: "you" });
    expect(await logs.get("none")).toBeUndefined();
    expect(await ids("text=hello")).toEqual(["asked"]);
  });

  it("is what the first rule that fits says, but a caller's no holds, and the operator's never", async () => {
    await logs.configure({
      ...defaultLogSettings,
      rules: [
        { match: { metadata: { private: true } }, log: "never" },
        { match: { key: "key-9" }, payload: "never" },
        { match: { model: "acme/*" }, payload: "always" },
      ],
    });
    const payload = () => ({ input: 1, output: 2 });
    logs.record(record({ id: "private", metadata: { private: true }, payload }));
    logs.record(record({ id: "never", keyId: "key-9", origin: asked, payload }));
    logs.record(record({ id: "always", payload }));
    logs.record(record({ id: "no", origin: { ...asked, collectPayload: false }, payload }));
    expect(await ids("")).toEqual(["no", "always", "never"]);
    expect(await logs.payload("never")).toBeUndefined();
    expect(await logs.payload("always")).toEqual({ input: 1, output: 2 });
    expect(await logs.payload("no")).toBeUndefined();
  });

  it("holds no key, card or address, wherever it stood", async () => {
    await logs.configure({
      ...defaultLogSettings,
      redaction: {
        ...defaultLogSettings.redaction,
        paths: ["input.messages[*].private", "output.**.ssn"],
        expressions: [{ name: "project", pattern: "\\bproject-[a-z]+", ignoreCase: true }],
      },
    });
    logs.record(
      record({
        origin: asked,
        status: "failed",
        code: "upstream_failed",
        error: "refused Bearer abcdefgh12345678 and provider-secret-0815",
        metadata: { note: "key byom_0123456789abcdef", mail: "a@b.example" },
        payload: () => ({
          input: {
            messages: [{ private: "diary", text: "mail bob@example.com about PROJECT-Apollo" }],
            api_key: "whatever",
            card: "4111 1111 1111 1111",
            phone: "4111 1111 1111 1112",
          },
          output: { deep: [{ ssn: "078-05-1120" }], said: "sk-proj-abcdefghijklmnop" },
        }),
      }),
    );
    expect(await logs.payload("c1")).toEqual({
      input: {
        messages: [{ private: "[redacted]", text: "mail [email] about [project]" }],
        api_key: "[secret-field]",
        card: "[card-number]",
        phone: "4111 1111 1111 1112",
      },
      output: { deep: [{ ssn: "[redacted]" }], said: "[api-key]" },
    });
    const entry = await logs.get("c1");
    expect(entry?.error).toBe("refused [api-key] and [secret]");
    // Metadata is what calls are found and billed by: only keys leave it.
    expect(entry?.metadata).toEqual({ note: "key [api-key]", mail: "a@b.example" });
    expect(await ids("text=bob")).toEqual([]);
  });

  it("is nothing of a payload on which an expression takes for ever", async () => {
    await logs.configure({
      ...defaultLogSettings,
      redaction: {
        ...defaultLogSettings.redaction,
        expressions: [{ name: "evil", pattern: "(a+)+$" }],
      },
    });
    const input = `${"a".repeat(40)}!`;
    logs.record(record({ origin: asked, payload: () => ({ input, output: "fine" }) }));
    expect(await logs.payload("c1")).toEqual({
      input: expect.stringContaining("took longer") as string,
      output: "fine",
    });
    expect(logs.state.redactionTimeouts).toBe(1);
  });

  it("is cut before it is copied: a file leaves its head, a page of text its beginning", async () => {
    const image = `data:image/png;base64,${"A".repeat(5_000_000)}`;
    logs.record(
      record({
        origin: asked,
        payload: () => ({
          input: {
            image,
            text: "x ".repeat(1_000_000),
            many: Array.from({ length: 50_000 }, () => 7),
          },
          output: Buffer.alloc(1_000_000, "y"),
        }),
      }),
    );
    const { input, output } = (await logs.payload("c1")) as {
      input: { image: string; text: string; many: unknown[] };
      output: string;
    };
    expect(input.image).toMatch(/^data:image\/png;base64,A{74}… \(cut: 5000022 characters\)$/);
    expect(input.text.length).toBeLessThan(17_000);
    expect(input.many.length).toBeLessThan(10_000);
    expect(output.length).toBeLessThan(70_000);
  });
});

describe("what is forgotten", () => {
  const isIn = async (text: string): Promise<boolean> => {
    const files = (await readdir(directory)).filter((name) => name.startsWith("logs.db"));
    const contents = await Promise.all(files.map((name) => readFile(join(directory, name))));
    return contents.some((content) => content.includes(text));
  };
  const customer: readonly Condition[] = [
    { kind: "metadata", keys: ["customer"], values: ["c-4711"], operator: "eq" },
  ];

  it("by a customer's name is gone from entries, payloads, index and file; the others stay", async () => {
    const payload = () => ({ input: "the word quagmire", output: "gondola" });
    for (let index = 0; index < 700; index += 1) {
      const name = index % 2 === 0 ? "c-4711" : "c-4712";
      logs.record(
        record({ id: `c${index}`, metadata: { customer: name }, origin: asked, payload }),
      );
    }
    logs.record(record({ id: "other", metadata: { order: "c-4711" } }));
    await logs.flush();
    expect(await logs.delete(customer)).toBe(350);
    expect(await ids("metadata=customer=c-4711")).toEqual([]);
    expect(await ids("metadata=order=c-4711")).toEqual(["other"]);
    expect(await logs.count([])).toBe(351);
    await logs.delete([{ kind: "metadata", keys: ["customer"], values: [], operator: "eq" }]);
    expect(await ids("text=quagmire")).toEqual([]);
    expect(await isIn("quagmire")).toBe(false);
    expect(await isIn("c-4712")).toBe(false);
    expect(await isIn("c-4711")).toBe(true);
  });

  it("by age and by number is the oldest", async () => {
    const retention = { ...defaultLogSettings.retention, days: 1, entries: 600 };
    await logs.configure({ ...defaultLogSettings, retention });
    logs.record(record({ id: "yesterday", beganAtMs: now - 25 * 3_600_000 }));
    for (let index = 0; index < 1_200; index += 1) logs.record(record({ id: `c${index}` }));
    await logs.flush();
    await logs.prune();
    expect(logs.state.entries).toBe(600);
    expect(await ids("id=yesterday")).toEqual([]);
    expect(await ids("id=c1199")).toEqual(["c1199"]);
    now += 2 * 24 * 3_600_000;
    await logs.prune();
    expect(logs.state.entries).toBe(0);
  });
});

describe("afterwards", () => {
  it("a caller's word is kept with the call, and taken back by null", async () => {
    logs.record(record({ metadata: { team: "a" } }));
    await logs.remark("c1", { feedback: -1, score: 3.5, metadata: { team: "b", seen: true } });
    expect(await logs.get("c1")).toMatchObject({
      feedback: -1,
      score: 3.5,
      metadata: { team: "b", seen: true },
    });
    expect(await ids("metadata=team=a")).toEqual([]);
    expect(await ids("metadata=team=b&feedback=-1")).toEqual(["c1"]);
    await logs.remark("c1", { feedback: null });
    expect(await logs.get("c1")).not.toHaveProperty("feedback");
    expect(await logs.remark("none", { feedback: 1 })).toBeUndefined();
  });
});

it("begins with what the operator had set, and refuses a file that it cannot read", async () => {
  const settings = { ...defaultLogSettings, rules: [{ log: "failed" as const }] };
  await logs.configure(settings);
  await logs.close();
  logs = open();
  expect(logs.settings.rules).toEqual([{ log: "failed" }]);
  const { writeFile } = await import("node:fs/promises");
  const path = join(directory, "log-settings.json");
  expect(existsSync(path)).toBe(true);
  await writeFile(path, '{"rules": "all"}');
  expect(open).toThrow(/log-settings\.json does not hold settings/);
});
