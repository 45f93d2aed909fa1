import { describe, expect, it } from "vitest";

import type { GatewayError } from "../../../../gateway/index.ts";
import {
  callerProviderKey,
  checkMetadata,
  metadataOf,
  readAigHeaders,
} from "../../../../gateway/http/aig-headers.ts";

describe("cf-aig-* headers", () => {
  it("are read whole: what a team says about its calls must not be lost", () => {
    const metadata = { team: "search", user: 12, trial: true, a: "1", b: "2", c: "3" };
    expect(
      readAigHeaders({
        "cf-aig-metadata": JSON.stringify(metadata),
        "cf-aig-gateway-id": "prod",
        "cf-aig-event-id": "e-1",
        "cf-aig-request-timeout": "1500",
        "cf-aig-cache-key": "k",
        "cf-aig-cache-ttl": "60",
        "cf-aig-skip-cache": "true",
        "cf-aig-collect-log": "false",
        "cf-aig-max-attempts": "3",
        "cf-aig-retry-delay": "250",
        "cf-aig-backoff": "exponential",
      }),
    ).toEqual({
      metadata,
      gatewayId: "prod",
      eventId: "e-1",
      requestTimeoutMs: 1500,
      cacheKey: "k",
      cacheTtl: 60,
      skipCache: true,
      collectLog: false,
      maxAttempts: 3,
      retryDelayMs: 250,
      backoff: "exponential",
    });
    expect(readAigHeaders({})).toEqual({});
  });

  it.each([
    [{ "cf-aig-metadata": "{" }, "cf-aig-metadata"],
    [{ "cf-aig-metadata": "[1]" }, "cf-aig-metadata"],
    [{ "cf-aig-metadata": '{"a":{"b":1}}' }, "cf-aig-metadata"],
    [{ "cf-aig-metadata": JSON.stringify({ a: "x".repeat(5000) }) }, "cf-aig-metadata"],
    [{ "cf-aig-request-timeout": "soon" }, "cf-aig-request-timeout"],
    [{ "cf-aig-max-attempts": "6" }, "cf-aig-max-attempts"],
    [{ "cf-aig-retry-delay": "5001" }, "cf-aig-retry-delay"],
    [{ "cf-aig-skip-cache": "yes" }, "cf-aig-skip-cache"],
  ])("%j is refused by name", (headers, parameter) => {
    expect(() => readAigHeaders(headers as Record<string, string>)).toThrow(
      expect.objectContaining({ code: "invalid_request", parameter }) as GatewayError,
    );
  });

  it("leaves out a null, which the Workers types allow", () => {
    expect(checkMetadata({ a: null, b: 1 }, "metadata")).toEqual({ b: 1 });
    expect(metadataOf({})).toBeUndefined();
  });
});

describe("the key of a third party", () => {
  it("is Authorization only beside cf-aig-authorization: else the gateway's own key would leave the house", () => {
    expect(callerProviderKey({ authorization: "Bearer gateway" })).toBeUndefined();
    const both = { "cf-aig-authorization": "Bearer gateway", authorization: "Bearer sk-1" };
    expect(callerProviderKey(both)).toBe("sk-1");
    expect(callerProviderKey({ "cf-aig-authorization": "Bearer g", "x-api-key": "sk-2" })).toBe(
      "sk-2",
    );
    expect(callerProviderKey({ ...both, "x-byom-provider-key": "sk-3" })).toBe("sk-3");
  });
});
