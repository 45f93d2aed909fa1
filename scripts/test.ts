// `npm test`: everything that must hold before a change lands, from style to real engines. Each step is one
// command that can be run alone; the first that fails ends the run.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const steps: readonly Step[] = [
  { name: "lint", command: ["oxlint", "--type-aware", "--quiet"] },
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "types", command: ["tsc"] },
  { name: "unused code and dependencies", command: ["knip", "--no-progress"] },
  { name: "unit tests", command: ["vitest", "run", "--project", "unit"] },
  { name: "host set-up", command: ["node", "bin/byom.js", "host", "setup"] },
  { name: "integration tests", command: ["vitest", "run", "--project", "integration"] },
];

const results: { name: string; seconds: number; isOk: boolean }[] = [];
for (const step of steps) {
  console.log(`\n── ${step.name}: ${step.command.join(" ")}`);
  const startedAt = performance.now();
  const isOk = (await run(step.command)) === 0;
  results.push({ name: step.name, seconds: (performance.now() - startedAt) / 1000, isOk });
  if (!isOk) break;
}

console.log("");
for (const { name, seconds, isOk } of results) {
  console.log(`${isOk ? "ok  " : "FAIL"} ${seconds.toFixed(1).padStart(6)} s  ${name}`);
}
const passed = results.filter((result) => result.isOk).length;
const failed = results.length - passed;
if (passed + failed < steps.length)
  console.log(`not run: ${steps.length - passed - failed} later steps`);
console.log(`steps: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function run(command: readonly string[]): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env["PATH"]}` },
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      resolve(signal === null ? (code ?? 1) : 130);
    });
  });
}
