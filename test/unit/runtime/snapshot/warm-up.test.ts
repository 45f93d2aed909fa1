/** The gate before traffic: an instance that answers wrongly, or is still busy with the gate, must not take any. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { recordWarmUp, replayWarmUp } from "../../../../runtime/snapshot/warm-up.ts";

const signal = new AbortController().signal;
let server: Server;
let address: string;
let answers: unknown[];
let healths: string[];
let connections: (string | undefined)[];
let urls: (string | undefined)[];

beforeEach(async () => {
  answers = [];
  healths = [];
  connections = [];
  urls = [];
  server = createServer((request, response) => {
    connections.push(request.headers.connection);
    urls.push(request.url);
    response.setHeader("content-type", "application/json");
    if (request.url === "/health-check") {
      response.end(JSON.stringify({ status: healths.shift() ?? "READY" }));
      return;
    }
    const answer = answers.shift();
    if (answer === taken) response.statusCode = 409;
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => server.close());

/** What coglet answers while another prediction holds its only slot. */
const taken = { detail: "Already running a prediction" };
const succeeded = (output: unknown): object => ({ status: "succeeded", output });

describe("recording", () => {
  it("keeps an answer that came twice", async () => {
    answers = [succeeded({ text: ["a"] }), succeeded({ text: ["a"] })];
    expect(await recordWarmUp(address, { a: 1 }, signal)).toEqual({
      input: { a: 1 },
      output: { text: ["a"] },
    });
  });

  it("keeps none that varies: then only success can be compared", async () => {
    answers = [succeeded(1), succeeded(2)];
    expect(await recordWarmUp(address, { a: 1 }, signal)).toEqual({ input: { a: 1 } });
  });

  it("waits for the slot between two predictions, and leaves no connection for the dump", async () => {
    answers = [succeeded(1), succeeded(1)];
    healths = ["BUSY", "BUSY", "READY", "BUSY", "READY"];
    await recordWarmUp(address, {}, signal);
    const [prediction, health] = ["/predictions", "/health-check"];
    expect(urls).toEqual([prediction, health, health, health, prediction, health, health]);
    expect(new Set(connections)).toEqual(new Set(["close"]));
  });

  it("waits for a slot that the deployment's own example still holds", async () => {
    answers = [taken, taken, succeeded(1), taken, succeeded(1)];
    expect(await recordWarmUp(address, {}, signal)).toEqual({ input: {}, output: 1 });
  });

  it("fails with the model's own error", async () => {
    answers = [{ status: "failed", error: "no such file" }];
    await expect(recordWarmUp(address, {}, signal)).rejects.toThrow(
      "the example fails: no such file",
    );
  });
});

describe("replaying", () => {
  it("passes on the same answer, and on any when none was recorded", async () => {
    answers = [succeeded([1, { a: 2 }]), succeeded("anything")];
    await replayWarmUp(address, { input: {}, output: [1, { a: 2 }] }, signal);
    await replayWarmUp(address, { input: {} }, signal);
  });

  it.each([
    ["another answer", succeeded([2]), "answers the example differently"],
    ["a failure", { status: "failed", error: "out of memory" }, "out of memory"],
    ["no prediction at all", "nonsense", "HTTP 200"],
  ])("rejects %s", async (_, answer, message) => {
    answers = [answer];
    await expect(replayWarmUp(address, { input: {}, output: [1] }, signal)).rejects.toThrow(
      message,
    );
  });

  it("ends with the caller's reason", async () => {
    const reason = new Error("too late");
    const aborted = AbortSignal.abort(reason);
    await expect(replayWarmUp(address, { input: {} }, aborted)).rejects.toBe(reason);
  });
});
