// A snapshot is thrown away when it fails. If this judges wrongly, a crash of the engine costs a model its warm starts
// until the next deploy; or a snapshot that can never work is tried at every start.
import { expect, it } from "vitest";
import type { ContainerState } from "../../../../runtime/engine/engine.ts";
import { EngineError } from "../../../../runtime/errors.ts";
import { findExcuse } from "../../../../runtime/instance/blame.ts";

const containerId = "c1";

function engineThatSays(
  state: Partial<ContainerState> | undefined,
): Parameters<typeof findExcuse>[0] {
  const whole = { id: containerId, name: "c", imageId: "i", labels: {}, isOutOfMemory: false };
  return {
    inspect: () =>
      Promise.resolve(state === undefined ? undefined : { ...whole, status: "running", ...state }),
  };
}

it.each([
  ["the example answered differently", {}],
  ["hooks failed", { status: "exited", exitCode: 1 }],
  ["the process crashed by itself", { status: "exited", exitCode: 139 }],
  ["runc restore failed with exit code 1; unknown image format", {}],
] as const)("blames the snapshot: %s", async (message, state) => {
  const excuse = await findExcuse(engineThatSays(state), {
    containerId,
    error: new Error(message),
  });
  expect(excuse).toBeUndefined();
});

it.each([
  [{ status: "exited", exitCode: 137 }, "the container was stopped from outside (exit code 137)"],
  [{ status: "exited", exitCode: 255 }, "the container was stopped from outside (exit code 255)"],
  [{ isOutOfMemory: true }, "the container ran out of memory"],
  [undefined, "somebody removed the container"],
] as const)("keeps the snapshot of a container that is %o", async (state, excuse) => {
  const error = new Error("socket hang up");
  expect(await findExcuse(engineThatSays(state), { containerId, error })).toBe(excuse);
});

it.each([
  ["runc restore failed; Can't map: Cannot allocate memory", "the host had no memory left"],
  ["tar: ./src: No space left on device", "the host had no disk left"],
])("keeps the snapshot when the host lacks something: %s", async (reason, excuse) => {
  expect(await findExcuse(engineThatSays({}), { containerId, error: reason })).toBe(excuse);
});

it("keeps the snapshot when the engine died, whether it says so or not", async () => {
  const died = new EngineError("engine_unreachable", "cannot start container c1: socket hang up");
  expect(await findExcuse(engineThatSays({}), { containerId, error: died })).toMatch(/engine/);
  const silent = { inspect: () => Promise.reject(died) };
  const error = new Error("connect ECONNREFUSED 10.0.0.2:5000");
  expect(await findExcuse(silent, { containerId, error })).toMatch(/engine/);
});
