// The order of the driver's calls and what becomes of a process when one fails, over a helper that is a table. If one
// of these fails, a model's GPU process hangs, locked, or serves with half of its memory.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openGpuCheckpointer } from "../../../../runtime/gpu/checkpointer.ts";
import type { GpuCheckpointer } from "../../../../runtime/gpu/gpu.ts";
import { whileSuspended } from "../../../../runtime/gpu/suspended.ts";
import type { FakeGpu } from "../../../support/fake-gpu-helper.ts";

const program = fileURLToPath(new URL("../../../support/fake-gpu-helper.ts", import.meta.url));
const { signal } = new AbortController();
const gib = 2 ** 30;
const gpu = (index: number): Record<string, unknown> => ({
  index,
  uuid: `GPU-${index}`,
  model: "NVIDIA L4",
  memoryBytes: 24 * gib,
  isMig: false,
});
const facts = {
  driver: "580.65.06",
  hasCheckpoint: true,
  isMpsRunning: false,
  devices: [gpu(0), gpu(1)],
};
const processes = { 20: { deviceBytes: 3 * gib }, 30: { deviceBytes: gib } };
const hostPids = new Map([
  [1, 10],
  [7, 20],
  [8, 30],
]);

let directory: string;
let opened: GpuCheckpointer | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-gpu-"));
});
afterEach(async () => {
  await opened?.[Symbol.asyncDispose]();
  opened = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** A host whose /proc has the three processes of a container and this much memory. */
async function open(
  fake: Partial<FakeGpu> & { availableBytes?: number } = {},
): Promise<GpuCheckpointer> {
  const { availableBytes = 64 * gib, ...rest } = fake;
  const file = join(directory, "fake.json");
  await writeFile(file, JSON.stringify({ facts, processes, ...rest }));
  for (const [pid, hostPid] of hostPids) {
    await mkdir(join(directory, `proc/${hostPid}`), { recursive: true });
    const status = `Name:\tpython\nNSpid:\t${hostPid}\t${pid}\n`;
    await writeFile(join(directory, `proc/${hostPid}/status`), status);
    await writeFile(join(directory, `proc/${hostPid}/cgroup`), "0::/model\n");
  }
  const meminfo = `MemTotal: 1 kB\nMemAvailable: ${availableBytes / 1024} kB\n`;
  await writeFile(join(directory, "proc/meminfo"), meminfo);
  opened = await openGpuCheckpointer({
    signal,
    controlDevice: directory,
    helper: [process.execPath, program, file, join(directory, "log")],
    root: directory,
  });
  return opened;
}

/** What the driver was asked, without the questions that change nothing. */
async function steps(): Promise<string[]> {
  const log = await readFile(join(directory, "log"), "utf8");
  return log.split("\n").filter((line) => /^(lock|checkpoint|restore|unlock)/.test(line));
}

const options = { gpus: "all", signal } as const;

describe("a host without GPUs", () => {
  it("is told so without any process being started", async () => {
    const checkpointer = await openGpuCheckpointer({
      signal,
      controlDevice: join(directory, "nothing"),
      helper: ["/nonexistent"],
    });
    expect(checkpointer.refusal).toBe("this host has no NVIDIA driver");
    await expect(checkpointer.suspend([20], options)).rejects.toMatchObject({
      code: "gpu_unsupported",
    });
  });

  it("is told what to install when it has a driver and no Python", async () => {
    const checkpointer = await openGpuCheckpointer({
      signal,
      controlDevice: directory,
      helper: ["/nonexistent/python3"],
    });
    expect(checkpointer.refusal).toMatch(/python3 is not installed: install python3/);
  });

  it("is told the driver's reason when its libraries do not load", async () => {
    const fault = { do: "facts", with: "exit" } as const;
    expect((await open({ faults: [fault] })).refusal).toMatch(
      /the GPU helper ended \(exit code 3\): driver: assertion failed/,
    );
  });

  it("is told of MPS", async () => {
    expect((await open({ facts: { ...facts, isMpsRunning: true } })).refusal).toMatch(/MPS/);
  });
});

describe("suspend and resume", () => {
  it("lock all, then empty all; give all back, then let all run", async () => {
    const checkpointer = await open();
    expect(checkpointer.refusal).toBeUndefined();
    const suspension = await checkpointer.suspend([10, 20, 30], options);
    expect(suspension).toMatchObject({
      facts: { driver: "580.65.06", devices: [{ uuid: "GPU-0" }, { uuid: "GPU-1" }] },
      processes: [
        { pid: 7, deviceBytes: 3 * gib },
        { pid: 8, deviceBytes: gib },
      ],
    });
    const moved = await checkpointer.resume(suspension, hostPids, options);
    expect(moved.bytes).toBe(4 * gib);
    expect((await steps()).join(", ")).toBe(
      "lock 20, lock 30, checkpoint 20, checkpoint 30, restore 20, restore 30, unlock 20, unlock 30",
    );
  });

  it("restore onto other GPUs of the model with a map of every device", async () => {
    const checkpointer = await open();
    const suspension = await checkpointer.suspend([20], { gpus: ["0"], signal });
    await checkpointer.resume(suspension, hostPids, { gpus: ["1"], signal });
    expect(await steps()).toContain("restore 20 GPU-0=GPU-1");
  });

  it("remember only the container's devices, and refuse a container without one", async () => {
    const checkpointer = await open();
    const suspension = await checkpointer.suspend([20], { gpus: ["1"], signal });
    expect(suspension.facts.devices.map(({ index }) => index)).toEqual([1]);
    await expect(checkpointer.suspend([30], { gpus: ["9"], signal })).rejects.toMatchObject({
      code: "gpu_unsupported",
      message: expect.stringMatching(/no GPU/),
    });
  });

  it("fail a restore when a process is gone, and say that the instance must end", async () => {
    const checkpointer = await open();
    const suspension = await checkpointer.suspend([20], options);
    await expect(checkpointer.resume(suspension, new Map(), options)).rejects.toMatchObject({
      code: "gpu_restore_failed",
      message: expect.stringMatching(/process 7 of the container is not there/),
    });
  });

  it("refuse memory that the container may not take, before anything is locked", async () => {
    const checkpointer = await open({ availableBytes: 2 * gib });
    await expect(checkpointer.suspend([20, 30], options)).rejects.toMatchObject({
      code: "gpu_unsupported",
      message: expect.stringMatching(/4096 MiB.*2048 MiB/),
      hint: expect.stringMatching(/memory/),
    });
    expect(await steps()).toEqual([]);
  });
});

describe("a driver that refuses", () => {
  it("leaves all processes running when the second cannot be emptied", async () => {
    const fault = { do: "checkpoint", pid: 30, with: 801 } as const;
    const checkpointer = await open({ faults: [fault] });
    await expect(checkpointer.suspend([20, 30], options)).rejects.toMatchObject({
      code: "gpu_unsupported",
      call: "checkpoint",
      status: 801,
      hint: expect.stringMatching(/managed memory.*610 \(memory shared between processes/),
    });
    expect((await steps()).slice(4)).toEqual(["restore 20", "unlock 20", "unlock 30"]);
  });

  it("leaves them running when a kernel does not end", async () => {
    const fault = { do: "lock", pid: 30, with: 600 } as const;
    const checkpointer = await open({ faults: [fault] });
    await expect(checkpointer.suspend([20, 30], options)).rejects.toMatchObject({
      code: "gpu_checkpoint_failed",
      message: expect.stringMatching(/not idle within 10 s/),
      hint: expect.stringMatching(/synchronize/),
    });
    expect(await steps()).toEqual(["lock 20", "lock 30", "unlock 20"]);
  });

  it("says so when the memory does not come back", async () => {
    const checkpointer = await open({
      faults: [
        { do: "checkpoint", pid: 30, with: 801 },
        { do: "restore", pid: 20, with: 2 },
      ],
    });
    await expect(checkpointer.suspend([20, 30], options)).rejects.toMatchObject({
      code: "gpu_restore_failed",
      status: 2,
    });
  });

  it("is asked by a new helper after one that died, wrote nonsense", async () => {
    for (const fault of ["exit", "garbage"] as const) {
      const checkpointer = await open({ faults: [{ do: "lock", pid: 30, with: fault }] });
      await expect(checkpointer.suspend([30], options)).rejects.toMatchObject({
        code: "gpu_helper_failed",
      });
      await expect(checkpointer.facts({ signal })).resolves.toMatchObject({ driver: "580.65.06" });
      await checkpointer[Symbol.asyncDispose]();
    }
  });

  it("keeps nobody waiting who has given up", async () => {
    const checkpointer = await open({ faults: [{ do: "state", with: "hang" }] });
    const leaving = new AbortController();
    const suspended = checkpointer.suspend([20], { gpus: "all", signal: leaving.signal });
    leaving.abort(new Error("no longer wanted"));
    await expect(suspended).rejects.toThrow("no longer wanted");
  });
});

describe("whileSuspended", () => {
  const input = (checkpointer: GpuCheckpointer, ended: number[] = []) => ({
    gpu: checkpointer,
    gpus: "all" as const,
    processes: [...hostPids].map(([pid, hostPid]) => ({ pid, hostPid })),
    signal,
    end: (hostPid: number) => void ended.push(hostPid),
  });

  it("gives the memory back after the dump, and after a dump that failed", async () => {
    const checkpointer = await open();
    let during: string[] = [];
    const suspension = await whileSuspended(input(checkpointer), async () => {
      during = await steps();
    });
    expect(during.at(-1)).toBe("checkpoint 30");
    expect(suspension.processes).toHaveLength(2);
    const failing = whileSuspended(input(checkpointer), () =>
      Promise.reject(new Error("CRIU could not")),
    );
    await expect(failing).rejects.toThrow("CRIU could not");
    expect((await steps()).filter((step) => step === "unlock 20")).toHaveLength(2);
  });

  it("ends the processes whose memory does not come back: they would hang with the next call", async () => {
    const checkpointer = await open({ faults: [{ do: "restore", pid: 20, with: 2 }] });
    const ended: number[] = [];
    await expect(
      whileSuspended(input(checkpointer, ended), () => Promise.resolve()),
    ).rejects.toMatchObject({ code: "gpu_restore_failed" });
    expect(ended).toEqual([20, 30]);
  });
});
