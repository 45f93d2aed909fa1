// What was spent, over the API: an owner reads what each customer, team and model cost, a key only its own.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { ProviderDouble } from "../../../support/provider-double.ts";
import {
  keys,
  removeDirectory,
  startPlatform,
  startVllm,
  vllmKey,
  type Platform,
} from "./platform.ts";

let platform: Platform;
let vllm: ProviderDouble;
beforeEach(async () => {
  platform = await startPlatform();
  vllm = await startVllm();
  await platform.call("PUT", "/api/v1/providers/my-vllm", {
    body: {
      adapter: "openai-compatible",
      baseUrl: vllm.baseUrl,
      key: vllmKey,
      allowPrivate: true,
    },
  });
  await platform.call("PUT", "/api/v1/catalog/models/team/qwen", {
    body: {
      task: "text-generation",
      upstreams: [{ provider: "my-vllm", model: "Qwen/Qwen3-8B" }],
      prices: [
        { unit: "input-token", per: 1_000_000, usd: "0.1" },
        { unit: "output-token", per: 1_000_000, usd: "0.4" },
      ],
    },
  });
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(platform.directory);
  await vllm.close();
});

const chat = (metadata: Readonly<Record<string, unknown>>): Promise<{ status: number }> =>
  platform.chat("team/qwen", { headers: { "cf-aig-metadata": JSON.stringify(metadata) } });

it("is split by metadata that callers sent, to the nano-dollar, all keys kept", async () => {
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`key-${n}`, `value-${n}`]));
  expect((await chat({ ...many, team: "search" })).status).toBe(200);
  await chat({ team: "search" });
  await chat({ team: "ads" });
  const { status, body } = await platform.call("GET", "/api/v1/spend?by=metadata.team");
  expect(status).toBe(200);
  expect(body).toMatchObject({
    by: ["metadata.team"],
    groups: 2,
    openLegs: 0,
    total: { legs: 3, interruptedLegs: 0, unpricedLegs: 0 },
  });
  const [search, ads] = body.rows as { [name: string]: unknown; nanoUsd: string; usd: string }[];
  expect(search).toMatchObject({ "metadata.team": "search", legs: 2 });
  expect(ads).toMatchObject({ "metadata.team": "ads", legs: 1 });
  const nano = 100 * Number(ads?.["inputTokens"]) + 400 * Number(ads?.["outputTokens"]);
  expect(ads?.nanoUsd).toBe(String(nano));
  expect(search?.nanoUsd).toBe(String(2 * nano));
  expect(body.total.usd).toBe(String(Number((3 * nano) / 1e9)));
  const of = await platform.call("GET", "/api/v1/spend?filter[metadata.key-9]=value-9");
  expect(of.body.total.legs).toBe(1);
  const { body: dimensions } = await platform.call("GET", "/api/v1/spend/dimensions");
  expect(dimensions.metadata).toContain("key-9");
});

it("comes as CSV, where a value that a spreadsheet would run stays text", async () => {
  await chat({ team: '=HYPERLINK("http://evil")' });
  await chat({ team: "a,b" });
  const response = await fetch(`${platform.url}/api/v1/spend?by=metadata.team&format=csv`, {
    headers: { authorization: `Bearer ${keys.admin}` },
  });
  expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8");
  const lines = (await response.text()).split("\r\n");
  expect(lines[0]).toMatch(/^metadata\.team,usd,nanoUsd,legs,callersNanoUsd,inputTokens,/);
  const values = lines.slice(1, 3).map((line) => line.slice(0, line.lastIndexOf('",') + 1));
  expect(values.toSorted()).toEqual(['"\'=HYPERLINK(""http://evil"")"', '"a,b"']);
});

it("tells a key that may only call what it spent itself, and no other's", async () => {
  await chat({});
  await platform.call("GET", "/api/v1/spend");
  const own = await platform.call("GET", "/api/v1/spend?by=key", { key: keys.call });
  expect(own.body.rows).toMatchObject([{ key: "key-3", legs: 1 }]);
  const acme = await platform.call("GET", "/api/v1/spend?by=key", { key: keys.acme });
  expect(acme.body).toMatchObject({ rows: [], total: { legs: 0 } });
  const other = await platform.call("GET", "/api/v1/spend?filter[key]=key-3", { key: keys.acme });
  expect(other).toMatchObject({ status: 403, body: { error: { parameter: "filter[key]" } } });
  const legs = await platform.call("GET", "/api/v1/spend/legs", { key: keys.acme });
  expect(legs.body).toEqual({ legs: [] });
  for (const [method, path] of [
    ["POST", "/spend/settle"],
    ["DELETE", "/spend?before=2026-01-01"],
  ] as const) {
    const refused = await platform.call(method, `/api/v1${path}`, { key: keys.call, body: {} });
    expect(refused.status, path).toBe(403);
  }
  expect((await platform.call("GET", "/api/v1/spend", { key: keys.deploy })).status).toBe(403);
});

it("lists single legs without the provider's key and without what was said", async () => {
  await chat({ team: "search" });
  const { body } = await platform.call("GET", "/api/v1/spend/legs?filter[metadata.team]=search");
  expect(body.legs).toMatchObject([
    {
      index: 0,
      model: "team/qwen",
      provider: "my-vllm",
      upstreamModel: "Qwen/Qwen3-8B",
      key: "key-3",
      state: "succeeded",
      isPriced: true,
      metadata: { team: "search" },
    },
  ]);
  expect(body.legs[0].leg).toBe(`${body.legs[0].call}.0`);
  const text = JSON.stringify(body);
  expect(text).not.toContain(vllmKey);
  expect(text).not.toContain("messages");
});

it("keeps what a leg cost when its price changes", async () => {
  await chat({});
  const before = await platform.call("GET", "/api/v1/spend");
  await platform.call("PUT", "/api/v1/prices/team/qwen", {
    body: { prices: [{ unit: "input-token", per: 1, usd: "1" }] },
  });
  expect((await platform.call("GET", "/api/v1/spend")).body.total).toEqual(before.body.total);
  await chat({});
  const after = await platform.call("GET", "/api/v1/spend");
  expect(Number(after.body.total.usd)).toBeGreaterThan(1);
});

it("is removed by the operator's word only", async () => {
  await chat({});
  const none = await platform.call("DELETE", "/api/v1/spend?before=2026-11-23");
  expect(none.body).toEqual({ removed: 0, before: "2026-11-23T00:00:00.000Z" });
  expect((await platform.call("DELETE", "/api/v1/spend?before=2026-11-24")).body.removed).toBe(1);
  expect((await platform.call("GET", "/api/v1/spend")).body.total.legs).toBe(0);
});

describe("a question that cannot be meant", () => {
  it.each([
    ["GET", "/spend?by=colour", "by"],
    ["GET", "/spend?by=model,key,day", "by"],
    ["GET", "/spend?by=model,model", "by"],
    ["GET", "/spend?by=metadata.", "by"],
    ["GET", "/spend?filter[colour]=red", "filter[colour]"],
    ["GET", "/spend?from=yesterday", "from"],
    ["GET", "/spend?to=2026-99-99", "to"],
    ["GET", "/spend?limit=0", "limit"],
    ["GET", "/spend?limit=1e9", "limit"],
    ["GET", "/spend?format=xml", "format"],
    ["GET", "/spend/legs?before=x", "before"],
    ["DELETE", "/spend", "before"],
  ])("%s %s", async (method, path, parameter) => {
    const { status, body } = await platform.call(method, `/api/v1${path}`);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: "invalid_request", parameter });
  });

  it.each([
    [{ legs: [{ input_tokens: 1 }] }],
    [{ legs: [{ leg: "x", nano_usd: -1 }] }],
    [{ legs: [{ leg: "x", nano_usd: 1.5 }] }],
    [{ legs: [{ leg: "x", images: "many" }] }],
    [{ leg: "x" }],
  ])("POST /spend/settle %j", async (body) => {
    const answer = await platform.call("POST", "/api/v1/spend/settle", { body });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: "invalid_request" } } });
  });
});
