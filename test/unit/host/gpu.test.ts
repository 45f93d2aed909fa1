// A plan for this very machine is checked against its driver without anybody naming it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readHostGpu } from "../../../host/gpu.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "byom-gpu-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

it.each([
  "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n",
  "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.104.05  Release Build\n",
])("reads the driver of %j and the first GPU", async (version) => {
  const path = folder();
  writeFileSync(join(path, "version"), version);
  mkdirSync(join(path, "gpus/0000:01:00.0"), { recursive: true });
  writeFileSync(
    join(path, "gpus/0000:01:00.0/information"),
    "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t 100\n",
  );
  expect(await readHostGpu({ folder: path })).toEqual({
    gpu: "NVIDIA H100 80GB HBM3",
    driver: "535.104.05",
  });
});

it("says nothing of a machine without one", async () => {
  expect(await readHostGpu({ folder: folder() })).toBeUndefined();
});
