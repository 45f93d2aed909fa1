// Registration at other gateways, against doubles that refuse what the real ones would. What is lost when it fails: a
// second run that makes everything twice, a dry run that changes something, a token sent to a stranger, a refusal that
// nobody understands.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, it } from "vitest";

import {
  registerModels,
  type Registration,
  type RegisterTarget,
} from "../../../../gateway/index.ts";
import { startAdminDouble, type AdminDouble } from "./admin-double.ts";
import {
  adminToken,
  startBifrostDouble,
  startCloudflareDouble,
  startKongDouble,
  startLiteLlmDouble,
  startPortkeyDouble,
} from "./admin-doubles.ts";
import { exported, exportOptions } from "./models.ts";

let double: AdminDouble | undefined;
afterEach(async () => {
  await double?.close();
  double = undefined;
});

interface Overrides {
  readonly token?: string;
  readonly isDryRun?: boolean;
  readonly url?: string;
  readonly baseUrl?: string;
  readonly gateway?: string;
  readonly secret?: string;
}

function register(target: RegisterTarget, overrides: Overrides = {}): Promise<Registration> {
  return registerModels(target, exported, {
    ...exportOptions,
    url: double?.url ?? "",
    token: adminToken,
    secret: "byom_secret",
    isDryRun: false,
    signal: AbortSignal.timeout(10_000),
    ...overrides,
  });
}

const starters: Readonly<Record<RegisterTarget, () => Promise<AdminDouble>>> = {
  litellm: startLiteLlmDouble,
  bifrost: () => startBifrostDouble({ hasKeyRoutes: true }),
  portkey: startPortkeyDouble,
  cloudflare: startCloudflareDouble,
  kong: startKongDouble,
};
const targets = Object.keys(starters) as RegisterTarget[];

describe.each(targets)("%s", (target) => {
  it("takes what it is told, and the second time the same things are updated", async () => {
    double = await starters[target]();
    const first = await register(target);
    const made = double.changes.length;
    expect(made).toBeGreaterThan(0);
    expect(first.steps.map(({ action }) => action)).not.toContain("update");
    const second = await register(target);
    expect(second.steps.map(({ subject }) => subject)).toEqual(
      first.steps.map(({ subject }) => subject),
    );
    expect(second.steps.map(({ action }) => action)).not.toContain("create");
    expect(double.changes.slice(made).join()).not.toContain("POST");
  });

  it("is only read in a dry run, which says what would be done", async () => {
    double = await starters[target]();
    const dry = await register(target, { isDryRun: true });
    expect(double.changes).toEqual([]);
    const real = await register(target);
    if (target !== "bifrost") expect(dry.steps).toEqual(real.steps);
    expect(dry.steps.every(({ action }) => action !== "update")).toBe(true);
  });
});

it.each(targets.filter((target) => target !== "bifrost"))(
  "%s refuses a wrong token in its own words",
  async (target) => {
    double = await starters[target]();
    const failure = await register(target, { token: "wrong" }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "upstream_failed",
      message: expect.stringMatching(
        /answered 40[13]: (?:no such token|Authentication error|Invalid credentials)/,
      ),
      hint: expect.stringContaining("--token-env"),
    });
    expect(String(failure)).not.toContain("wrong");
  },
);

it("a model of LiteLLM's config file is not taken for ours", async () => {
  double = await startLiteLlmDouble();
  const { steps } = await register("litellm");
  expect(steps).toContainEqual({ action: "create", subject: "model me/vectors" });
});

it("an older Bifrost takes the key with the provider, a newer one at its own route", async () => {
  double = await startBifrostDouble({ hasKeyRoutes: false });
  expect((await register("bifrost")).steps).toEqual([
    { action: "create", subject: "provider byom" },
    { action: "keep", subject: "key byom-key" },
  ]);
  await double.close();
  double = await startBifrostDouble({ hasKeyRoutes: true });
  await register("bifrost", { baseUrl: "http://127.0.0.1:8800" });
  expect(double.changes).toEqual(["POST /api/providers", "POST /api/providers/byom/keys"]);
});

it("Cloudflare's gateway keeps the key once, and what it keeps is not overwritten", async () => {
  double = await startCloudflareDouble();
  const key = { action: "create", subject: "key in gateway main" };
  expect((await register("cloudflare", { gateway: "main" })).steps).toContainEqual(key);
  const again = await register("cloudflare", { gateway: "main" });
  expect(again.steps).toContainEqual({ ...key, action: "keep" });
  await expect(register("cloudflare", { baseUrl: "http://h.example" })).rejects.toThrow(
    "https only",
  );
});

it.each(["portkey", "kong"] as const)(
  "%s keeps the key itself: without one nothing is begun",
  async (target) => {
    double = await starters[target]();
    await expect(
      registerModels(target, exported, {
        ...exportOptions,
        url: double.url,
        token: adminToken,
        isDryRun: false,
        signal: AbortSignal.timeout(10_000),
      }),
    ).rejects.toMatchObject({ message: "BYOM_API_KEY is not set." });
    expect(double.changes).toEqual([]);
  },
);

it("a redirect is not followed: the token is for the address that was given", async () => {
  let isAsked = false;
  const stranger = createServer((_request, response) => {
    isAsked = true;
    response.end("{}");
  });
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const location = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`;
  double = await startAdminDouble(() => ({ status: 302, headers: { location } }));
  await expect(register("litellm")).rejects.toMatchObject({
    message: expect.stringContaining(`leads on to ${location}`),
    hint: expect.stringContaining("not followed"),
  });
  expect(isAsked).toBe(false);
  stranger.close();
});

it("an address where nobody listens, and one that is none, are said as such", async () => {
  await expect(register("kong", { url: "http://127.0.0.1:1" })).rejects.toMatchObject({
    code: "upstream_failed",
    message: expect.stringContaining("cannot be reached (ECONNREFUSED)"),
  });
  await expect(register("kong", { url: "kong" })).rejects.toMatchObject({
    code: "invalid_request",
  });
});

it("a caller who gives up is not kept waiting", async () => {
  double = await startAdminDouble(() => ({}));
  const gone = AbortSignal.abort(new Error("Ctrl-C"));
  await expect(
    registerModels("kong", exported, {
      ...exportOptions,
      secret: "s",
      url: double.url,
      isDryRun: false,
      signal: gone,
    }),
  ).rejects.toThrow("Ctrl-C");
});
