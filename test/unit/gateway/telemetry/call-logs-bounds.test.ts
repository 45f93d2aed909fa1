// A log that grows with its load takes the gateway down with it: what does not fit is dropped, and counted.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CallLogs } from "../../../../gateway/telemetry/logs/call-logs.ts";
import { logQueueEntriesMax } from "../../../../gateway/telemetry/limits.ts";
import { beganAtMs, record } from "./records.ts";

let directory: string;
let logs: CallLogs;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-logs-"));
  logs = new CallLogs({ dataDirectory: directory, clock: () => beganAtMs, secrets: () => [] });
});

afterEach(async () => {
  await logs.close();
  await rm(directory, { recursive: true, force: true });
});

const asked = { requestId: "req_1", surface: "openai", path: "/v1/x", collectPayload: true };

describe("too much", () => {
  it("is dropped with a number, and the calls go on", async () => {
    for (let index = 0; index < logQueueEntriesMax + 5; index += 1) {
      logs.record(record({ id: `c${index}` }));
    }
    expect(logs.state.drops["queue-entries"]).toBe(5);
    expect(logs.state.queuedEntries).toBe(logQueueEntriesMax);
    await logs.delete([]);
  });

  it("of payloads is dropped by bytes", () => {
    const input = Array.from({ length: 60 }, () => "x".repeat(1_000));
    for (let index = 0; index < 700; index += 1) {
      logs.record(
        record({ id: `c${index}`, origin: asked, payload: () => ({ input, output: null }) }),
      );
    }
    expect(logs.state.drops["queue-bytes"]).toBeGreaterThan(0);
    expect(logs.state.queuedBytes).toBeLessThanOrEqual(32 * 1024 * 1024);
  });

  it("or a payload that cannot be made costs the payload, not the entry", async () => {
    const payload = (): never => {
      throw new Error("gone");
    };
    logs.record(record({ origin: asked, payload }));
    expect((await logs.get("c1"))?.hasPayload).toBe(false);
    expect(logs.state.drops.payload).toBe(1);
  });
});
