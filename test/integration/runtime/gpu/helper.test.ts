// helper.py itself, with a driver's libraries that are compiled here. If one of these fails, what byom tells the driver
// is not what the driver's header says, and a real GPU would be the first to notice.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { GpuHelper } from "../../../../runtime/gpu/helper-process.ts";

const source = fileURLToPath(new URL("fake-driver.c", import.meta.url));
const helperFile = fileURLToPath(new URL("../../../../runtime/gpu/helper.py", import.meta.url));
const missing = ["gcc", "python3"].filter(
  (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).status !== 0,
);
if (missing.length > 0) {
  process.stderr.write(`skipped: helper.py over a compiled driver needs ${missing.join(", ")}\n`);
}
const options = { timeoutMs: 20_000 };
const uuids = [
  "GPU-01000000-0000-0000-0000-0000000000f1",
  "GPU-02000000-0000-0000-0000-0000000000f2",
] as const;

describe.skipIf(missing.length > 0)("helper.py", () => {
  let directory = "";
  let helper: GpuHelper;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "byom-driver-"));
    for (const name of ["libcuda.so.1", "libnvidia-ml.so.1"]) {
      execFileSync("gcc", [
        "-shared",
        "-fPIC",
        "-Wall",
        "-Werror",
        "-o",
        join(directory, name),
        source,
      ]);
    }
    helper = new GpuHelper(["env", `LD_LIBRARY_PATH=${directory}`, "python3", helperFile]);
  });
  afterAll(async () => {
    await helper?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it("tells the driver, the devices and what is split", async () => {
    const memoryBytes = 24 * 2 ** 30;
    const model = "NVIDIA L4";
    expect(await helper.ask({ do: "facts" }, options)).toMatchObject({
      driver: "580.65.06",
      hasCheckpoint: true,
      isMpsRunning: false,
      devices: [
        { index: 0, uuid: uuids[0], model, memoryBytes, isMig: false },
        { index: 1, uuid: uuids[1], model, memoryBytes, isMig: true },
      ],
    });
    expect(await helper.ask({ do: "initialize" }, options)).toMatchObject({ cudaVersion: 13_000 });
  });

  it("finds the memory of processes, more than it first made room for", async () => {
    const reply = await helper.ask({ do: "memory", pids: [69, 9, 1000] }, options);
    expect(reply).toMatchObject({
      bytes: [
        [69, 69 * 2 ** 20],
        [9, 0],
        [1000, 0],
      ],
    });
  });

  it("takes a process through every state with the structures of the header", async () => {
    const state = async (): Promise<unknown> => await helper.ask({ do: "state", pid: 7 }, options);
    expect(await state()).toMatchObject({ state: "running" });
    await helper.ask({ do: "lock", pid: 7, timeoutMs: 10_000 }, options);
    expect(await state()).toMatchObject({ state: "locked" });
    await helper.ask({ do: "checkpoint", pid: 7 }, options);
    expect(await state()).toMatchObject({ state: "checkpointed" });
    expect(await helper.ask({ do: "restoreThread", pid: 7 }, options)).toMatchObject({ thread: 8 });
    await helper.ask({ do: "restore", pid: 7, pairs: [] }, options);
    await helper.ask({ do: "unlock", pid: 7 }, options);
    expect(await state()).toMatchObject({ state: "running" });
  });

  it("hands a map of devices over by UUID", async () => {
    await helper.ask({ do: "lock", pid: 8, timeoutMs: 10_000 }, options);
    await helper.ask({ do: "checkpoint", pid: 8 }, options);
    const pairs = [
      [uuids[0], uuids[1]],
      [uuids[1], uuids[0]],
    ] as const;
    await helper.ask({ do: "restore", pid: 8, pairs }, options);
    // The fake driver takes this process with that map only.
    await helper.ask({ do: "unlock", pid: 8 }, options);
    await expect(
      helper.ask({ do: "restore", pid: 8, pairs: [["GPU-12", "GPU-34"]] }, options),
    ).rejects.toThrow(/no UUID of a GPU/);
  });

  it("says which call was refused and with what, and that a process is none of CUDA's", async () => {
    await expect(helper.ask({ do: "checkpoint", pid: 9 }, options)).rejects.toMatchObject({
      call: "cuCheckpointProcessCheckpoint",
      status: 401,
      message: "cuCheckpointProcessCheckpoint: CUDA_ERROR_ILLEGAL_STATE",
    });
    await expect(helper.ask({ do: "lock", pid: 9, timeoutMs: 1 }, options)).rejects.toThrow(
      "CUDA_ERROR_INVALID_VALUE",
    );
    expect(await helper.ask({ do: "state", pid: 2 ** 22 }, options)).toMatchObject({
      state: "none",
    });
  });

  it("says which library a host lacks", async () => {
    await using bare = new GpuHelper(["python3", "-I", helperFile]);
    if (spawnSync("sh", ["-c", "ldconfig -p | grep -q libnvidia-ml.so.1"]).status === 0) return;
    await expect(bare.ask({ do: "facts" }, options)).rejects.toThrow(/libnvidia-ml\.so\.1/);
  });
});
