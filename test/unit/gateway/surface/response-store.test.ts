import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { parseResponseFacts } from "../../../../gateway/surface/openai/responses/request.ts";
import {
  openResponseStore,
  responseRetentionMs,
  type ResponseEnd,
  type StoredResponse,
} from "../../../../gateway/surface/openai/responses/store.ts";

// Where responses are kept. If one of these fails, a conversation is lost with its process, or kept for ever.

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "byom-responses-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const start = Date.parse("2026-11-23T12:00:00.000Z");
const open = (nowMs = start) =>
  openResponseStore({ path: join(directory, "responses.db"), clock: () => nowMs });
const response = (id: string): StoredResponse => ({
  id,
  predictionId: id.slice("resp_".length),
  modelId: "acme/chat",
  createdAt: start / 1000,
  facts: parseResponseFacts({ model: "acme/chat" }),
  input: [{ id: "msg_a_in0", type: "message", role: "user", content: [] }],
});
const end: ResponseEnd = {
  status: "completed",
  output: [],
  error: null,
  incompleteReason: null,
  usage: null,
  completedAt: start / 1000,
  lastSequence: 9,
};

describe("the response store", () => {
  it("has what was put before a process died, and knows what had not ended", () => {
    const killed = open();
    killed.put(response("resp_a"), { isDurable: true });
    killed.put({ ...response("resp_b"), end });
    // Not closed: nothing of it may wait for that.
    const next = open();
    expect(next.get("resp_a")).toEqual(response("resp_a"));
    expect(next.get("resp_b")).toEqual({ ...response("resp_b"), end });
    expect(next.unfinished().map(({ id }) => id)).toEqual(["resp_a"]);
    next.put({ ...response("resp_a"), end });
    expect(next.unfinished()).toEqual([]);
    expect(next.delete("resp_a")).toBe(true);
    expect(next.delete("resp_a")).toBe(false);
    expect(next.get("resp_a")).toBeUndefined();
    next.close();
    killed.close();
  });

  it("forgets after thirty days, at once for readers and then on disk", () => {
    const first = open();
    first.put({ ...response("resp_a"), end });
    first.close();
    const later = open(start + responseRetentionMs - 1_000);
    expect(later.get("resp_a")).toBeDefined();
    later.close();
    const over = open(start + responseRetentionMs);
    expect(over.get("resp_a")).toBeUndefined();
    expect(over.delete("resp_a")).toBe(false);
    over.close();
  });
});
