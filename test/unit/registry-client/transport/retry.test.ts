import { expect, test } from "vitest";
import {
  backoffMs,
  defaultRetryPolicy,
  HostPauses,
  isRetryableStatus,
  parseRetryAfter,
} from "../../../../registry-client/transport/retry.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const now = Date.UTC(2026, 0, 1);

test.each([
  ["0", 0],
  ["7", 7000],
  ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
  ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
  ["-5", undefined],
  ["soon", undefined],
  [undefined, undefined],
])("Retry-After %s", (header, expected) => {
  expect(parseRetryAfter(header, now)).toBe(expected);
});

test("passing trouble is retried, refusals are not", () => {
  expect([408, 429, 499, 500, 502, 503, 504, 522].every(isRetryableStatus)).toBe(true);
  expect([200, 400, 401, 403, 404, 413, 416, 501].some(isRetryableStatus)).toBe(false);
});

test("the delay doubles, is bounded, and is drawn from its whole range", () => {
  const high = new FakeClock({ random: 1 });
  const delays = [1, 2, 3, 20].map((failures) => backoffMs(failures, defaultRetryPolicy, high));
  expect(delays).toEqual([500, 1000, 2000, 30_000]);
  expect(backoffMs(20, defaultRetryPolicy, new FakeClock({ random: 0 }))).toBe(0);
});

test("a pause of a host holds for everybody and is never shortened", async () => {
  const clock = new FakeClock();
  const pauses = new HostPauses(clock);
  pauses.extend("a", 5000);
  pauses.extend("a", 1000);
  await pauses.wait("b");
  expect(clock.sleepsMs).toEqual([]);
  await pauses.wait("a");
  expect(clock.sleepsMs).toEqual([5000]);
});
