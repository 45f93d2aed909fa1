import { describe, expect, test } from "vitest";

import { GatewayError } from "../../../../../../gateway/errors.ts";
import { cut, fail, json, type ProviderDouble } from "../../../../../support/provider-double.ts";
import { runAdapter, type AdapterRun } from "../../../../../support/run-adapter.ts";
import { failureOf } from "./expect-failure.ts";

export interface JobContract {
  readonly start: () => Promise<ProviderDouble>;
  /** A call that ends well against the double as it is. */
  readonly call: Omit<AdapterRun, "baseUrl">;
  /** Routes of the double, as they are declared there. */
  readonly create: string;
  readonly look: string;
  /** A look at the job while it goes on. */
  readonly waiting: unknown;
  /** A look at the job after it failed, and what the caller must read. */
  readonly failed: { readonly body: unknown; readonly words: RegExp };
  /** The body with which the provider limits the rate, beside its 429. */
  readonly limited: unknown;
  /** Absent where the provider has no way to cancel. */
  readonly cancel?: { readonly method: string; readonly path: string };
}

/** What every provider with jobs must do for its callers, whatever its paths are called. */
export function describeJobs(contract: JobContract): void {
  const { start, create, look } = contract;
  const run = (
    double: ProviderDouble,
    more: Partial<AdapterRun> = {},
  ): ReturnType<typeof runAdapter> =>
    runAdapter({ ...contract.call, ...more, baseUrl: double.baseUrl });

  describe("as a job", () => {
    test("a job that failed says why, in the provider's words", async () => {
      await using double = await start();
      double.nextAt(look, json(contract.waiting), json(contract.failed.body));
      const failure = await failureOf(run(double));
      expect(failure.code).toBe("prediction_failed");
      expect(failure.message).toMatch(contract.failed.words);
    });

    test("a rate limit tells the caller when to come back", async () => {
      await using double = await start();
      double.nextAt(create, fail(429, contract.limited, { "retry-after": "7" }));
      const failure = await failureOf(run(double));
      expect(failure.code).toBe("rate_limited");
      expect(failure.retryAfterMs).toBe(7_000);
      expect(failure.message).not.toContain("test-key-123456");
    });

    test("hiccups while it is looked at do not lose work that is paid for", async () => {
      await using double = await start();
      double.nextAt(
        look,
        fail(429, contract.limited, { "retry-after": "90" }),
        cut(),
        fail(502, "<html>bad gateway</html>"),
      );
      const { output, pauses } = await run(double);
      expect(output).toBeTruthy();
      expect(pauses.slice(0, 3)).toEqual([pauses[0], 90_000, pauses[0]]);
      expect(double.requests.filter(({ method }) => method === "DELETE")).toEqual([]);
    });

    test("a provider that only fails is given up after a bounded number of looks", async () => {
      await using double = await start();
      double.nextAt(look, ...Array.from({ length: 20 }, () => fail(500, "down")));
      const failure = await failureOf(run(double));
      expect(failure.code).toBe("upstream_failed");
      const looks = double.requests.filter(({ path }) => isAt(path, double, look));
      expect(looks.filter(({ method }) => method === "GET")).toHaveLength(6);
    });

    test("a refused key is no hiccup", async () => {
      await using double = await start();
      double.nextAt(look, fail(401, "no such key"));
      expect((await failureOf(run(double))).message).toMatch(/refused the API key/);
      const looks = double.requests.filter(({ path }) => isAt(path, double, look));
      expect(looks.filter(({ method }) => method === "GET")).toHaveLength(1);
    });

    test("a canceled call ends at once, and its job where the provider can", async () => {
      await using double = await start();
      const canceled = new AbortController();
      const reason = new GatewayError("canceled", "The prediction was canceled.");
      double.nextAt(look, json(contract.waiting), (response) => {
        canceled.abort(reason);
        return json(contract.waiting)(response);
      });
      const failure = await failureOf(run(double, { signal: canceled.signal }));
      expect(failure).toBe(reason);
      const { method, path } = double.requests.at(-1) ?? {};
      if (contract.cancel === undefined) expect(method).toBe("GET");
      else {
        expect(method).toBe(contract.cancel.method);
        expect(isAt(path ?? "", double, contract.cancel.path)).toBe(true);
      }
    });
  });
}

/** Whether a request's path is that of a route with `{id}` in it. */
function isAt(path: string, double: ProviderDouble, route: string): boolean {
  const [before = "", after = ""] = route.split(/\{[^}]+\}/);
  const base = double.baseUrl.slice(double.origin.length);
  return path.startsWith(base + before) && path.endsWith(after);
}
