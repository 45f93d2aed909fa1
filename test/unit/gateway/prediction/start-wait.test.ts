import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { AcquireOptions } from "../../../../gateway/upstream/upstream.ts";
import type { Play } from "../fake-coglet.ts";
import { chatModel, startHarness, type Harness } from "../harness.ts";

let harness: Harness;

beforeEach(async () => {
  harness = await startHarness({ models: [chatModel], deadlines: { commitMs: 50 } });
});
afterEach(() => harness.close());

const sayHello: Play = (prediction) => {
  prediction.start();
  void prediction.output("Hello");
  prediction.complete();
};

const chat = (fields: Record<string, unknown> = {}): Promise<Response> =>
  harness.call("/v1/chat/completions", {
    body: { model: "acme/chat", messages: [{ role: "user", content: "Hi" }], ...fields },
  });

describe("a caller who waits for an instance", () => {
  /** An instance that starts in two steps, the second one when `go` resolves. */
  function startSlowly(go: Promise<void>): void {
    const { upstream } = harness;
    const acquire = upstream.acquire.bind(upstream);
    upstream.acquire = async (modelId, options: AcquireOptions) => {
      options.onPhase?.({ state: "queued" });
      options.onPhase?.({ state: "starting", mode: "cold", step: "create" });
      await new Promise((resolve) => setTimeout(resolve, 150));
      options.onPhase?.({ state: "starting", mode: "cold", step: "setup" });
      await go;
      return acquire(modelId, options);
    };
  }

  test("reads each step as a comment that no client counts as an event, and then the answer", async () => {
    const go = Promise.withResolvers<void>();
    startSlowly(go.promise);
    harness.coglet.play(sayHello);
    const response = await chat({ stream: true });
    setTimeout(() => go.resolve(), 250);
    const text = await response.text();
    expect(text).toMatch(/(?:^|\n): starting; mode=cold; step=create; ms=\d+\n/);
    expect(text).toMatch(/\n: starting; mode=cold; step=setup; ms=\d+\n/);
    expect(text).not.toMatch(/^: [^\n]*\n\n/m);
    expect(text).toContain("Hello");
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("reads afterwards how long it took, by what it waited for", async () => {
    const go = Promise.withResolvers<void>();
    startSlowly(go.promise);
    harness.coglet.play(sayHello);
    setTimeout(() => go.resolve(), 200);
    const response = await chat();
    expect(Number(response.headers.get("x-byom-wait-ms"))).toBeGreaterThan(100);
    expect(response.headers.get("x-byom-wait")).toMatch(
      /^queued;dur=[\d.]+, cold-create;dur=[\d.]+, cold-setup;dur=[\d.]+$/,
    );
  });
});
