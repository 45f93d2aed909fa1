// An upstream that is down must not cost every call a try, and must get its calls back once it answers again.
import { describe, expect, it } from "vitest";

import {
  Breakers,
  breakerWindow,
  consecutiveFailuresMax,
  openMs,
  type BreakerView,
} from "../../../../gateway/route/breaker.ts";
import type { Candidate } from "../../../../gateway/route/candidate.ts";
import { chatModel } from "../harness.ts";

const own: Candidate = { entry: chatModel, target: { kind: "deployment", modelId: "acme/chat" } };

function start(): {
  readonly breakers: Breakers;
  readonly changes: BreakerView[];
  readonly wait: (ms: number) => void;
} {
  let now = 1_000;
  const changes: BreakerView[] = [];
  const breakers = new Breakers({ clock: () => now, onChange: (view) => changes.push(view) });
  return { breakers, changes, wait: (ms) => (now += ms) };
}

function failTimes(breakers: Breakers, count: number): void {
  for (let index = 0; index < count; index += 1) breakers.fail(own, "down");
}

describe("a breaker", () => {
  it("opens after failures in a row, and says so", () => {
    const { breakers, changes } = start();
    failTimes(breakers, consecutiveFailuresMax - 1);
    expect(breakers.allows(own)).toBe(true);
    breakers.fail(own, "down");
    expect(breakers.allows(own)).toBe(false);
    expect(changes).toMatchObject([
      { provider: "byom", upstreamModel: "acme/chat", state: "open", lastError: "down" },
    ]);
    expect(breakers.list()).toMatchObject([{ state: "open", opensUntilMs: 1_000 + openMs }]);
  });

  it("does not open for failures with successes between them below one half", () => {
    const { breakers } = start();
    for (let index = 0; index < 3 * breakerWindow; index += 1) {
      if (index % 3 === 0) breakers.fail(own, "now and then");
      else breakers.succeed(own);
    }
    expect(breakers.allows(own)).toBe(true);
  });

  it("opens when half of its last calls failed, though never many in a row", () => {
    const { breakers } = start();
    let calls = 0;
    while (breakers.allows(own) && calls < breakerWindow) {
      if (calls % 2 === 0) breakers.fail(own, "every other one");
      else breakers.succeed(own);
      calls += 1;
    }
    expect(breakers.allows(own)).toBe(false);
  });

  it("lets one call through to see whether it answers again, and closes when it does", () => {
    const { breakers, changes, wait } = start();
    failTimes(breakers, consecutiveFailuresMax);
    wait(openMs - 1);
    expect(breakers.allows(own)).toBe(false);
    wait(1);
    expect(breakers.allows(own)).toBe(true);
    breakers.begin(own);
    expect(breakers.allows(own)).toBe(false);
    breakers.succeed(own);
    expect(breakers.allows(own)).toBe(true);
    expect(changes.map(({ state }) => state)).toEqual(["open", "half-open", "closed"]);
  });

  it("waits twice as long after a probe that failed", () => {
    const { breakers, wait } = start();
    failTimes(breakers, consecutiveFailuresMax);
    wait(openMs);
    breakers.begin(own);
    breakers.fail(own, "still down");
    wait(openMs);
    expect(breakers.allows(own)).toBe(false);
    wait(openMs);
    expect(breakers.allows(own)).toBe(true);
  });

  it("gives the probe to another call when its caller left", () => {
    const { breakers, wait } = start();
    failTimes(breakers, consecutiveFailuresMax);
    wait(openMs);
    breakers.begin(own);
    breakers.letGo(own);
    expect(breakers.allows(own)).toBe(true);
  });

  it("remembers a bounded number of upstreams", () => {
    const { breakers } = start();
    for (let index = 0; index < 3_000; index += 1) {
      breakers.fail(
        { entry: chatModel, target: { kind: "deployment", modelId: `acme/${index}` } },
        "down",
      );
    }
    expect(breakers.list()).toHaveLength(2_000);
    expect(breakers.list().at(-1)?.upstreamModel).toBe("acme/2999");
  });
});
