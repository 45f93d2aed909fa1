// If these fail, containers that an engine's death kept from starting leave words for the OCI runtime behind for ever.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { markForRestore, unmark } from "../../../../runtime/oci-runtime/marker.ts";
import { wrapperFiles } from "../../../../runtime/oci-runtime/wrapper.ts";

const containerId = "c".repeat(64);
let stateDirectory: string;

beforeEach(async () => {
  stateDirectory = mkdtempSync(join(tmpdir(), "byom-marker-"));
  const snapshotDirectory = "/snapshots/one";
  await markForRestore({ stateDirectory, containerId, snapshotDirectory, usesHugePages: false });
});

afterEach(() => {
  rmSync(stateDirectory, { recursive: true, force: true });
});

describe("what a container was told", () => {
  test("is taken back when the wrapper never ran", async () => {
    const { marker, work } = wrapperFiles(stateDirectory, containerId);
    expect([existsSync(marker), existsSync(work)]).toEqual([true, true]);
    expect(await unmark(stateDirectory, containerId)).toBe(true);
    expect([existsSync(marker), existsSync(work)]).toEqual([false, false]);
  });

  test("stays with the wrapper once it has begun to work: only it knows what is mounted there", async () => {
    const { marker, work } = wrapperFiles(stateDirectory, containerId);
    writeFileSync(join(work, "root"), "/some/root\n1\n");
    expect(await unmark(stateDirectory, containerId)).toBe(false);
    expect([existsSync(marker), existsSync(join(work, "root"))]).toEqual([false, true]);
  });

  test("may be gone already", async () => {
    await unmark(stateDirectory, containerId);
    expect(await unmark(stateDirectory, containerId)).toBe(true);
  });
});
