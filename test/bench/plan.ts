// How long `byom plan --json` takes in a repo of 10,000 files and 40 GiB of weights, process start included. The
// baseline is the start of the same Node with nothing to do, which no command line in this language can beat.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { measured, median, type Row } from "./report.ts";
import type { Benchmark } from "./run.ts";

const rounds = Number(process.env["BYOM_BENCH_ROUNDS"] ?? 10);
const folders = 100;
const filesOfFolder = 100;
const weights = 10;
const weightBytes = 4 * 1024 ** 3;

const goalMs = 500;
const goalMiB = 150;

const byom = fileURLToPath(new URL("../../bin/byom.js", import.meta.url));

const benchmark: Benchmark = async ({ signal, note }) => {
  const directory = await mkdtemp(join(tmpdir(), "byom-bench-plan-"));
  try {
    await writeRepository(directory);
    const empty: Run[] = [];
    const plans: Run[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      signal.throwIfAborted();
      const runs = [
        await run(["-e", "0"]),
        await run([byom, "plan", "--json", directory]),
      ] as const;
      // The first round fills the page cache.
      if (round === 0) continue;
      empty.push(runs[0]);
      plans.push(runs[1]);
      note(`round ${round}/${rounds}: ${Math.round(runs[1].ms)} ms`);
    }
    return [
      row({ work: "byom plan, 10,000 files and 40 GiB", unit: "ms", empty, plans, goal: goalMs }),
      row({ work: "its memory (largest RSS)", unit: "MiB", empty, plans, goal: goalMiB }),
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

export default benchmark;

interface Run {
  readonly ms: number;
  readonly MiB: number;
}

function row(options: {
  readonly work: string;
  readonly unit: "ms" | "MiB";
  readonly empty: readonly Run[];
  readonly plans: readonly Run[];
  readonly goal: number;
}): Row {
  const { work, unit, empty, plans, goal } = options;
  const baseline = empty.map((one) => one[unit]);
  const values = plans.map((one) => one[unit]);
  return {
    work,
    unit,
    baseline: measured("node that does nothing", baseline),
    byom: measured("byom plan --json", values),
    ratio: median(baseline) / median(values),
    goal: `≤ ${goal} ${unit}`,
    met: median(values) <= goal,
  };
}

/** Sparse weights: 40 GiB that cost no disk. */
async function writeRepository(directory: string): Promise<void> {
  const cogYaml =
    'build:\n  python_version: "3.11"\n  gpu: true\n  python_requirements: requirements.txt\nrun: run.py:Runner\n';
  const runner =
    "from cog import BaseRunner\n\n\nclass Runner(BaseRunner):\n    def run(self, text: str) -> str:\n        return text\n";
  await writeFile(join(directory, "cog.yaml"), cogYaml);
  await writeFile(join(directory, "requirements.txt"), "torch==2.5.1\n");
  await writeFile(join(directory, "run.py"), runner);
  for (let folder = 0; folder < folders; folder += 1) {
    const path = join(directory, `package${folder}`);
    await mkdir(path);
    for (let file = 0; file < filesOfFolder; file += 1) {
      await writeFile(join(path, `module${file}.py`), `VALUE = ${file}\n`);
    }
  }
  await mkdir(join(directory, "weights"));
  for (let index = 0; index < weights; index += 1) {
    await using file = await open(join(directory, "weights", `${index}.safetensors`), "w");
    await file.truncate(weightBytes);
  }
}

/** The child's wall time, and the largest resident set that the kernel saw of it. */
async function run(args: readonly string[]): Promise<Run> {
  const start = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  let kib = 0;
  const ended = once(child, "exit");
  const watch = setInterval(() => {
    void peakKib(child.pid).then((value) => (kib = Math.max(kib, value)));
  }, 5);
  const [code] = (await ended) as [number | null];
  clearInterval(watch);
  const ms = performance.now() - start;
  if (code !== 0) throw new Error(`node ${args.join(" ")} ended with ${code}: ${words}`);
  return { ms, MiB: kib / 1024 };
}

async function peakKib(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0);
}
