// An app that was written for Cloudflare's AI Gateway moves here by its base URL alone: the published `cloudflare` client
// makes the routes and the published `openai` client calls them, both as they are.
import Cloudflare from "cloudflare";
import OpenAI from "openai";
import { afterEach, beforeEach, expect, it } from "vitest";

import { fail, type ProviderDouble } from "../../support/provider-double.ts";
import {
  keys,
  removeDirectory,
  startPlatform,
  startVllm,
  vllmKey,
  type Platform,
} from "../../unit/gateway/admin/platform.ts";

let platform: Platform;
let vllm: ProviderDouble;
let cloudflare: Cloudflare;
let openai: OpenAI;

beforeEach(async () => {
  platform = await startPlatform();
  vllm = await startVllm();
  await platform.call("PUT", "/api/v1/providers/vllm", {
    body: {
      adapter: "openai-compatible",
      baseUrl: vllm.baseUrl,
      key: vllmKey,
      allowPrivate: true,
    },
  });
  await platform.call("PUT", "/api/v1/catalog/models/vllm/qwen", {
    body: { upstreams: [{ provider: "vllm", model: "Qwen/Qwen3-8B" }] },
  });
  cloudflare = new Cloudflare({ apiToken: keys.admin, baseURL: `${platform.url}/client/v4` });
  openai = new OpenAI({
    apiKey: keys.call,
    baseURL: `${platform.url}/gateway/v1/any-account/any-gateway/compat`,
    maxRetries: 0,
  });
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(platform.directory);
  await vllm.close();
  expect(vllm.faults).toEqual([]);
});

type Elements = Cloudflare.AIGateway.DynamicRoutingCreateParams["elements"];

const account = { account_id: "any-account" };
const place = { ...account, gateway_id: "any-gateway" };
const end = { id: "end", type: "end", outputs: {} } as const;
const start = (to: string): Elements[number] => ({
  id: "start",
  type: "start",
  outputs: { next: { elementId: to } },
});
const model = (id: string, name: string, fallback: string): Elements[number] => ({
  id,
  type: "model",
  properties: { provider: name.split("/")[0] ?? "", model: name, retries: 0, timeout: 20_000 },
  outputs: { success: { elementId: "end" }, fallback: { elementId: fallback } },
});
/** Cloudflare's name for what is deployed at the gateway's own account. */
const ownChat = (id: string): Elements[number] => ({
  id,
  type: "model",
  properties: { provider: "workers-ai", model: "acme/chat", retries: 0, timeout: 20_000 },
  outputs: { success: { elementId: "end" }, fallback: { elementId: "end" } },
});

const byPlan: Elements = [
  start("plan"),
  {
    id: "plan",
    type: "conditional",
    properties: { conditions: { "metadata.plan": { $eq: "paid" } } },
    outputs: { true: { elementId: "theirs" }, false: { elementId: "ours" } },
  },
  model("theirs", "vllm/qwen", "ours"),
  ownChat("ours"),
  end,
];

async function ask(name: string, metadata?: unknown): Promise<string | null | undefined> {
  const headers = metadata === undefined ? {} : { "cf-aig-metadata": JSON.stringify(metadata) };
  const completion = await openai.chat.completions.create(
    { model: `dynamic/${name}`, messages: [{ role: "user", content: "Hi" }] },
    { headers },
  );
  return completion.choices[0]?.message.content;
}

it("is made, called, listed, changed by version, deployed, rolled back, renamed and removed", async () => {
  const routes = cloudflare.aiGateway.dynamicRouting;
  const made = await routes.create("any-gateway", {
    ...account,
    name: "support",
    elements: byPlan,
  });
  expect(made).toMatchObject({ name: "support", elements: byPlan, gateway_id: "any-gateway" });
  expect(await ask("support")).toBe("own model");
  expect(await ask("support", { plan: "paid" })).toBe("Hi you");

  const listed = await routes.list("any-gateway", account);
  expect(listed.data.routes).toMatchObject([{ id: made.id, name: "support" }]);

  const version = await routes.createVersion(made.id, {
    ...place,
    elements: [start("theirs"), model("theirs", "vllm/qwen", "end"), end],
  });
  // It takes no call before it is deployed.
  expect(await ask("support")).toBe("own model");
  const { data } = await routes.listVersions(made.id, place);
  expect(data.versions.map(({ active }) => active)).toEqual(["false", "true"]);
  const [newest, first] = data.versions;
  expect(JSON.stringify(version)).toContain(newest?.version_id);
  await routes.createDeployment(made.id, { ...place, version_id: newest?.version_id ?? "" });
  expect(await ask("support")).toBe("Hi you");

  const got = await routes.getVersion(first?.version_id ?? "", { ...place, id: made.id });
  expect(got.elements).toEqual(byPlan);
  await routes.createDeployment(made.id, { ...place, version_id: got.version_id });
  expect(await ask("support")).toBe("own model");
  const { data: deployed } = await routes.listDeployments(made.id, place);
  expect(deployed.deployments).toHaveLength(3);

  await routes.update(made.id, { ...place, name: "help" });
  expect((await routes.get(made.id, place)).name).toBe("help");
  expect(await ask("help")).toBe("own model");
  await expect(ask("support")).rejects.toMatchObject({ status: 404 });
  await routes.delete(made.id, place);
  await expect(ask("help")).rejects.toMatchObject({ status: 404 });
});

it("falls over to the model behind it when the first one fails, for whole answers and streams", async () => {
  await cloudflare.aiGateway.dynamicRouting.create("any-gateway", {
    ...account,
    name: "safe",
    elements: [start("theirs"), model("theirs", "vllm/qwen", "ours"), ownChat("ours"), end],
  });
  vllm.next(fail(503, { error: { message: "down" } }), fail(503, { error: { message: "down" } }));
  expect(await ask("safe")).toBe("own model");
  const stream = await openai.chat.completions.create({
    model: "dynamic/safe",
    messages: [{ role: "user", content: "Hi" }],
    stream: true,
  });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  expect(text).toBe("own model");
  expect(vllm.requests).toHaveLength(2);
});

it("goes on to the next model where a rate is used up, each user for itself", async () => {
  await cloudflare.aiGateway.dynamicRouting.create("any-gateway", {
    ...account,
    name: "rated",
    elements: [
      start("rate"),
      {
        id: "rate",
        type: "rate",
        properties: { key: "metadata.user", limit: 2, limitType: "count", window: 3_600 },
        outputs: { success: { elementId: "theirs" }, fallback: { elementId: "ours" } },
      },
      model("theirs", "vllm/qwen", "end"),
      ownChat("ours"),
      end,
    ],
  });
  const answers = [];
  for (let call = 0; call < 3; call += 1) answers.push(await ask("rated", { user: "ada" }));
  expect(answers).toEqual(["Hi you", "Hi you", "own model"]);
  expect(await ask("rated", { user: "bob" })).toBe("Hi you");
});

it("tells the openai client of a limit as OpenAI does", async () => {
  await platform.call("PUT", "/api/v1/routes/few", {
    body: { models: ["acme/chat"], limits: [{ requests: 1, window: "1h" }] },
  });
  const { response } = await openai.chat.completions
    .create({ model: "dynamic/few", messages: [{ role: "user", content: "Hi" }] })
    .withResponse();
  expect(response.headers.get("x-ratelimit-remaining-requests")).toBe("0");
  const refused = await ask("few").then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
  expect(
    Number((refused as InstanceType<typeof OpenAI.APIError>).headers?.get("retry-after")),
  ).toBeGreaterThan(60);
});

it("refuses a graph that cannot work in Cloudflare's envelope, with the place of its fault", async () => {
  const circle: Elements = [
    start("a"),
    model("a", "vllm/qwen", "b"),
    model("b", "acme/chat", "a"),
    end,
  ];
  const failure: unknown = await cloudflare.aiGateway.dynamicRouting
    .create("any-gateway", { ...account, name: "circle", elements: circle })
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Cloudflare.BadRequestError);
  expect((failure as InstanceType<typeof Cloudflare.APIError>).errors[0]?.message).toContain(
    "a → b → a",
  );
});

it("shows a route that was written in the short form as elements, and is closed to who may only call", async () => {
  await platform.call("PUT", "/api/v1/routes/short", {
    body: { models: [{ model: "vllm/qwen", percent: 10 }, "acme/chat"] },
  });
  const { data } = await cloudflare.aiGateway.dynamicRouting.list("any-gateway", account);
  expect(data.routes[0]?.elements.map(({ type }) => type)).toContain("percentage");
  const caller = new Cloudflare({ apiToken: keys.call, baseURL: `${platform.url}/client/v4` });
  await expect(caller.aiGateway.dynamicRouting.list("any-gateway", account)).rejects.toMatchObject({
    status: 403,
  });
});
