// `npm run check:gpu`: whether this machine's driver can take device memory out of a process and give it back. A small
// program holds device memory through libcuda; it is locked, checkpointed, restored and unlocked by the same helper
// that captures models use, and must find its memory as it was. Needs the driver and python3, nothing else.
// Exit codes: 0 the memory came back the same; 1 it did not, or the driver refused; 2 this machine cannot try.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { openGpuCheckpointer } from "../runtime/gpu/checkpointer.ts";

const { values } = parseArgs({ options: { mib: { type: "string", default: "1024" } } });
const sizeBytes = Number(values.mib) * 2 ** 20;
if (!Number.isInteger(sizeBytes) || sizeBytes <= 0) {
  console.error(`--mib ${values.mib}: expected a whole number of mebibytes, such as 1024`);
  process.exit(1);
}
/** Device memory moves at gigabytes a second; a driver that takes longer is stuck. */
const signal = AbortSignal.timeout(300_000);

await using checkpointer = await openGpuCheckpointer({ signal });
if (checkpointer.refusal !== undefined) {
  console.log(`check:gpu cannot run here: ${checkpointer.refusal}`);
  process.exit(2);
}
const { driver, devices } = await checkpointer.facts({ signal });
console.log(`driver ${driver}, ${devices.map(({ model }) => model).join(", ")}`);

const program = fileURLToPath(new URL("check-gpu-holder.py", import.meta.url));
const child = spawn("python3", ["-I", program, String(sizeBytes)], {
  stdio: ["pipe", "pipe", "inherit"],
});
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
const pid = child.pid ?? 0;
const pids = new Map([[pid, pid]]);

/** The holder's answer to a word: the sum over its device memory. */
async function ask(word: string): Promise<string> {
  child.stdin.write(`${word}\n`);
  const line = await lines.next();
  if (line.done === true) throw new Error(`the process that holds device memory ended (${word})`);
  return line.value;
}

function report(what: string, ms: number, bytes: number): void {
  const rate = bytes / 1e9 / (ms / 1000);
  console.log(`${what.padEnd(24)} ${ms.toFixed(0).padStart(7)} ms  ${rate.toFixed(2)} GB/s`);
}

try {
  const before = await ask("sum");
  const gpus = ["0"];
  const suspension = await checkpointer.suspend([pid], { gpus, signal });
  const [holder] = suspension.processes;
  if (holder === undefined) throw new Error("the driver does not know the process as one of CUDA");
  report("lock and checkpoint", suspension.ms, sizeBytes);
  const resumed = await checkpointer.resume(suspension, pids, { gpus, signal });
  report("restore and unlock", resumed.ms, sizeBytes);
  const after = await ask("sum");
  const isSame = before === after;
  console.log(
    isSame
      ? `${sizeBytes / 2 ** 20} MiB of device memory came back as they were (${after})`
      : `device memory changed: ${before} before, ${after} after`,
  );
  process.exitCode = isSame ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? `check:gpu failed: ${error.message}` : error);
  process.exitCode = 1;
} finally {
  child.kill();
}
