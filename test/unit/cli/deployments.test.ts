import { expect, it } from "vitest";

import { createDeployments } from "../../../cli/deployments.ts";

// A script that scales or promotes over Replicate's API moves real instances: what it names must be what changes, and
// a refusal must reach it as one.

type Runtime = Parameters<typeof createDeployments>[0];

function fakeRuntime(overrides: Partial<Runtime> = {}): { runtime: Runtime; changes: unknown[] } {
  const changes: unknown[] = [];
  const note =
    (name: string) =>
    async (...values: readonly unknown[]): Promise<never> => {
      changes.push([name, ...values.slice(0, -1)]);
      return undefined as never;
    };
  const scaling = { min: 1, max: 3, concurrency: 1, idleTimeoutMs: 1, stopTimeoutMs: 1 };
  const deployment = {
    modelId: "acme/chat",
    traffic: [{ version: 7, percent: 100 }],
    scaling,
    updatedAt: "2026-11-02T00:00:00.000Z",
  };
  const model = { id: "acme/chat", deployment, live: undefined, instances: [], waiting: 0 };
  const release = {
    ...deployment,
    id: 12,
    kind: "scale",
    createdAt: deployment.updatedAt,
  } as const;
  const runtime: Runtime = {
    models: () => [model],
    releases: () => [release],
    scale: note("scale"),
    promote: note("promote"),
    removeModel: note("remove"),
    ...overrides,
  };
  return { runtime, changes };
}
const { signal } = new AbortController();

it("shows a deployment's newest release and settings, and nothing of a model that is none", () => {
  const deployments = createDeployments(fakeRuntime().runtime);
  expect(deployments.get("acme/chat")).toEqual({
    release: 12,
    version: 7,
    minInstances: 1,
    maxInstances: 3,
    changedAt: "2026-11-02T00:00:00.000Z",
  });
  expect(deployments.get("acme/none")).toBeUndefined();
});

it("changes exactly what is named", async () => {
  const { runtime, changes } = fakeRuntime();
  const deployments = createDeployments(runtime);
  await deployments.change("acme/chat", { minInstances: 0 }, { signal });
  await deployments.change("acme/chat", { version: 6, maxInstances: 2 }, { signal });
  await deployments.change("acme/chat", {}, { signal });
  await deployments.remove("acme/chat", { signal });
  expect(changes).toEqual([
    ["scale", "acme/chat", { min: 0 }],
    ["scale", "acme/chat", { max: 2 }],
    ["promote", "acme/chat", { version: 6 }],
    ["remove", "acme/chat"],
  ]);
});

it.each([
  ["version_not_found", "not_found"],
  ["deploy_in_progress", "conflict"],
  ["invalid_scaling", "unsupported_parameter"],
])("a refusal %s reaches the caller as %s", async (code, expected) => {
  const refusal = Object.assign(new Error("no"), { code, hint: "do this" });
  const { runtime } = fakeRuntime({ scale: () => Promise.reject(refusal) });
  const change = createDeployments(runtime).change("acme/chat", { minInstances: 9 }, { signal });
  await expect(change).rejects.toMatchObject({ code: expected, message: "no", hint: "do this" });
});
