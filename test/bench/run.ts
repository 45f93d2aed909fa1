// `npm run bench -- NAME [--json]`: runs a baseline and byom alternately and prints medians, spread and ratio
// beside the goal. The exit code says whether it ran, never whether a goal was met.
import { cpus, release } from "node:os";
import { renderReport, type Row } from "./report.ts";

const benchmarks: Readonly<Record<string, () => Promise<{ default: Benchmark }>>> = {
  gateway: () => import("./gateway.ts"),
  "cold-start": () => import("./cold-start.ts"),
  spend: () => import("./spend.ts"),
  plan: () => import("./plan.ts"),
};

export type Benchmark = (options: {
  signal: AbortSignal;
  note: (text: string) => void;
}) => Promise<readonly Row[]>;

const args = process.argv.slice(2);
const name = args.find((word) => !word.startsWith("-"));
const load = name === undefined ? undefined : benchmarks[name];
if (name === undefined || load === undefined) {
  console.error(
    `usage: npm run bench -- NAME [--json]\nbenchmarks: ${Object.keys(benchmarks).join(", ")}`,
  );
  process.exit(2);
}

const controller = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => controller.abort());
const { default: benchmark } = await load();
const rows = await benchmark({ signal: controller.signal, note: (text) => console.error(text) });
const report = {
  name,
  machine: `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}`,
  rows,
};
console.log(args.includes("--json") ? JSON.stringify(report, undefined, 2) : renderReport(report));
process.exit(0);
