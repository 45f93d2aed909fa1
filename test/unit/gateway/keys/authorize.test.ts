// The one place that reads a key from a call. A key that is presented in any client's way must be found; one that may
// not call, is over, or is for other models must be told why.
import { expect, test } from "vitest";

import { assertMayCall, authorize, mayCall } from "../../../../gateway/keys/authorize.ts";
import type { Keys } from "../../../../gateway/keys/keys.ts";

const keys: Keys = {
  verify: (secret) => {
    if (secret === "good") return { id: "k1", name: "app", scopes: ["call"], models: ["me/*"] };
    if (secret === "ci") return { id: "k2", name: "ci", scopes: ["deploy"] };
    return undefined;
  },
  expiredAt: (secret) => (secret === "old" ? "2026-11-01T00:00:00.000Z" : undefined),
};

test.each([
  ["OpenAI's", { authorization: "Bearer good" }],
  ["Replicate's older", { authorization: "Token good" }],
  ["lower-case", { authorization: "bearer  good " }],
  ["Anthropic's", { "x-api-key": "good" }],
  ["Cloudflare's", { "cf-aig-authorization": "Bearer good" }],
  [
    "Cloudflare's, beside a third party's key",
    { "cf-aig-authorization": "Bearer good", authorization: "Bearer sk-theirs" },
  ],
])("%s key opens", (_, headers) => {
  expect(authorize(headers, keys).id).toBe("k1");
});

test.each([
  ["no key", {}, "unauthenticated", "needs an API key"],
  ["a wrong key", { authorization: "Bearer bad" }, "unauthenticated", "not known"],
  ["another scheme", { authorization: "Basic good" }, "unauthenticated", "needs an API key"],
  [
    "a key that is over",
    { authorization: "Bearer old" },
    "unauthenticated",
    "expired at 2026-11-01",
  ],
  ["a key that may not call", { "x-api-key": "ci" }, "forbidden", "may not call models"],
  [
    "a right key behind a wrong cf-aig-authorization",
    { "cf-aig-authorization": "Bearer bad", authorization: "Bearer good" },
    "unauthenticated",
    "not known",
  ],
])("%s is refused, with the reason", (_, headers, code, words) => {
  expect(() => authorize(headers, keys)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(words) }),
  );
});

test("keys that know no expiry refuse as before", () => {
  expect(() => authorize({ "x-api-key": "old" }, { verify: () => undefined })).toThrow("not known");
});

test("a key for other models is refused with what it is for", () => {
  const key = authorize({ "x-api-key": "good" }, keys);
  assertMayCall(key, "me/chat");
  expect(() => assertMayCall(key, "men/chat")).toThrow(
    expect.objectContaining({ code: "forbidden", status: 403, hint: "It is for me/*." }),
  );
  expect(mayCall(undefined, "any/model")).toBe(true);
});
