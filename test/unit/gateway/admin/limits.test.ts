// What an operator loses when these fail: limits that hold for whom they are meant, tell callers when to come back, and
// are not used up by what never reached a model.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { keys, type Answer, type Platform } from "./platform.ts";
import { own, RouteBench, said, theirs } from "./route-bench.ts";

let bench: RouteBench;
let platform: Platform;
let put: RouteBench["put"];
beforeEach(async () => {
  bench = await RouteBench.start();
  platform = bench.platform;
  put = bench.put.bind(bench);
});
afterEach(() => bench.close());

async function restart(): Promise<void> {
  await bench.restart();
  platform = bench.platform;
}

describe("a limit", () => {
  const chat = (headers?: Readonly<Record<string, string>>): Promise<Answer> =>
    platform.chat("dynamic/support", headers === undefined ? {} : { headers });

  it("of a step sends the next call to the next model", async () => {
    await put("support", {
      models: [
        { model: "vllm/qwen", limits: { requests: 2, per: ["metadata.team"] } },
        "acme/chat",
      ],
    });
    const answers = await Promise.all(Array.from({ length: 5 }, () => chat()));
    expect(answers.map(said).filter((text) => text === theirs)).toHaveLength(2);
    expect(said(await chat({ "cf-aig-metadata": '{"team":"b"}' }))).toBe(theirs);
    expect(said(await chat())).toBe(own);
  });

  it("of a route refuses with 429, the time to wait, and what is left", async () => {
    await put("support", { models: ["acme/chat"], limits: [{ requests: 2, window: "1m" }] });
    const first = await chat();
    expect(first.headers.get("x-ratelimit-limit-requests")).toBe("2");
    expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("1");
    await chat();
    const refused = await chat();
    expect(refused.status).toBe(429);
    expect(refused.body.error.message).toContain("The limit of dynamic/support is reached");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(refused.headers.get("x-ratelimit-reset-requests")).toMatch(/^1m/);
  });

  it("that stands holds for plain models, for whom it is meant, and after a restart", async () => {
    const set = await platform.call("PUT", "/api/v1/limits/app", {
      body: { requests: 1, match: { keys: ["app"], models: ["acme/*"] }, per: ["metadata.team"] },
    });
    expect(set).toMatchObject({ status: 200, body: { name: "app", requests: 1 } });
    expect((await platform.chat("acme/chat")).status).toBe(200);
    expect((await platform.chat("acme/chat")).status).toBe(429);
    expect((await platform.chat("vllm/qwen")).status).toBe(200);
    const other = { headers: { "cf-aig-metadata": '{"team":"b"}' } };
    expect((await platform.chat("acme/chat", other)).status).toBe(200);
    const shown = await platform.call("GET", "/api/v1/limits/app");
    expect(shown.body.used).toMatchObject([
      { partition: "metadata.team=", standings: [{ measure: "requests", remaining: 0 }] },
      { partition: "metadata.team=b", standings: [{ measure: "requests", remaining: 0 }] },
    ]);
    await restart();
    expect((await platform.chat("acme/chat")).status).toBe(200);
    expect((await platform.chat("acme/chat")).status).toBe(429);
    expect((await platform.call("DELETE", "/api/v1/limits/app")).status).toBe(204);
    expect((await platform.chat("acme/chat")).status).toBe(200);
  });

  it("is not used up by a model that did not start, nor by who only looks", async () => {
    await put("support", { models: ["acme/chat"], limits: [{ requests: 1 }] });
    await platform.call("GET", "/v1/models/dynamic/support", { key: keys.call });
    platform.upstream.gate = () =>
      Promise.reject(Object.assign(new Error("no room"), { code: "start_failed" }));
    expect((await chat()).status).toBe(503);
    platform.upstream.gate = () => Promise.resolve();
    expect((await chat()).status).toBe(200);
    expect((await chat()).status).toBe(429);
  });

  it("of calls at once opens again when one ends, fails, or is left by its caller", async () => {
    await platform.call("PUT", "/api/v1/limits/one", {
      body: { concurrency: 1, match: { models: ["acme/*"] } },
    });
    const left = async (): Promise<unknown> => {
      const { body } = await platform.call("GET", "/api/v1/limits/one");
      return body.used[0].standings[0].remaining;
    };
    const isFree = async (): Promise<void> => {
      await expect.poll(left).toBe(1);
    };
    let open = (): void => {};
    const hold = (how: () => Promise<void>): void => {
      platform.upstream.gate = () => new Promise<void>((resolve) => (open = resolve)).then(how);
    };
    hold(() => Promise.resolve());
    const first = platform.chat("acme/chat");
    await expect.poll(() => platform.upstream.acquired.length).toBe(1);
    expect((await platform.chat("acme/chat")).status).toBe(429);
    open();
    expect((await first).status).toBe(200);
    await isFree();

    hold(() => Promise.reject(Object.assign(new Error("no"), { code: "start_failed" })));
    const second = platform.chat("acme/chat");
    await expect.poll(() => platform.upstream.acquired.length).toBe(2);
    open();
    expect((await second).status).toBe(503);
    await isFree();

    hold(() => Promise.resolve());
    const gone = new AbortController();
    const third = fetch(`${platform.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${keys.call}` },
      body: JSON.stringify({ model: "acme/chat", messages: [{ role: "user", content: "Hi" }] }),
      signal: gone.signal,
    }).catch((error: unknown) => error);
    await expect.poll(() => platform.upstream.acquired.length).toBe(3);
    expect(await left()).toBe(0);
    gone.abort();
    await third;
    open();
    await isFree();
  });

  it("of tokens counts what models used", async () => {
    await platform.call("PUT", "/api/v1/limits/tokens", { body: { tokens: 20 } });
    let calls = 0;
    while ((await platform.chat("vllm/qwen")).status === 200 && calls < 30) calls += 1;
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThan(10);
  });

  it.each([
    ["x", {}, /limits nothing/],
    ["x", { requests: 0 }, /requests: /],
    ["x", { requests: 1, match: { model: ["a"] } }, /match/],
    ["a b", { requests: 1 }, /name: /],
  ])("%s as %j is refused", async (name, body, message) => {
    const answer = await platform.call("PUT", `/api/v1/limits/${encodeURIComponent(name)}`, {
      body,
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toMatch(message);
  });
});
