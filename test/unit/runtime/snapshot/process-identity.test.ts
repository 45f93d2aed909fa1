// If these fail, a capture of a killed platform is never cleaned up, or one of a living platform is.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { identifyProcess, isRunning } from "../../../../runtime/snapshot/process-identity.ts";

test("a process is told apart from a later one with its number", () => {
  const own = identifyProcess(process.pid);
  expect(own).toBeDefined();
  if (own === undefined) return;
  expect(isRunning(own)).toBe(true);
  expect(isRunning({ ...own, startTicks: own.startTicks - 1 })).toBe(false);
});

test("a zombie runs no more, though its parent has not collected it", async () => {
  // The child of `sh` ends, and `sh` becomes a program that never waits for it.
  const parent = spawn("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 20"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    const living = identifyProcess(pid);
    expect(living).toBeDefined();
    const deadline = Date.now() + 10_000;
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))) {
      expect(Date.now()).toBeLessThan(deadline);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(isRunning(living ?? { pid: 0, startTicks: 0 })).toBe(false);
  } finally {
    parent.kill("SIGKILL");
  }
});
