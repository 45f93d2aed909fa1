// `npm test`: everything that must hold before a change lands, from style to real engines. Each step is one
// command that can be run alone; the first that fails ends the run.
// `npm run test:snapshots`: only whether warm starts hold with this machine's engine, kernel and CRIU.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hostPaths, resolveDirectories } from "../host/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What some tests need beside the host: a test whose tool is missing says so and skips. */
const testTools: readonly { readonly name: string; readonly isPresent: () => boolean }[] = [
  { name: "skopeo", isPresent: () => isInstalled("skopeo") },
  { name: "openssl", isPresent: () => isInstalled("openssl") },
  { name: "e2fsprogs", isPresent: () => isInstalled("mkfs.ext4") },
  {
    name: "python3-venv",
    isPresent: () =>
      spawnSync("python3", ["-c", "import ensurepip"], { stdio: "ignore" }).status === 0,
  },
];

const reporters = ["--reporter=default", "--reporter=./scripts/last-words.ts"];

const hostSetup: Step = { name: "host set-up", command: ["node", "bin/byom.js", "host", "setup"] };

/** Capture, restore, clones and the fall-back, on real parts; each is a file, a folder or the beginning of names. */
const snapshotTests: readonly string[] = [
  "test/integration/runtime/snapshot/",
  "test/integration/runtime/restore",
  "test/scenarios/clones",
  "test/scenarios/restores",
  "test/scenarios/kill-",
];

const snapshotSteps = (): readonly Step[] => [
  hostSetup,
  ...installTestTools(["e2fsprogs"]),
  {
    name: "snapshots",
    environment: { BYOM_KILL_POINTS: process.env["BYOM_KILL_POINTS"] ?? "2" },
    command: ["vitest", "run", "--project", "integration", ...reporters, ...snapshotTests],
  },
];

const allSteps = (): readonly Step[] => [
  { name: "lint", command: ["oxlint", "--type-aware", "--quiet"] },
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "types", command: ["tsc"] },
  { name: "unused code and dependencies", command: ["knip", "--no-progress"] },
  { name: "unit tests", command: ["vitest", "run", "--project", "unit", ...reporters] },
  hostSetup,
  ...installTestTools(),
  ...installBrowser(),
  {
    name: "integration tests",
    command: ["vitest", "run", "--project", "integration", ...reporters],
  },
];

const steps = process.argv[2] === "snapshots" ? snapshotSteps() : allSteps();

/** Host set-up may have unpacked a registry beside the system; the tests start their own from it. */
const directories = resolveDirectories(process.env, process.getuid?.() === 0);
const path = [
  join(root, "node_modules/.bin"),
  process.env["PATH"] ?? "",
  join(hostPaths(directories).registryPackage, "usr/bin"),
].join(delimiter);

const results: { name: string; seconds: number; isOk: boolean }[] = [];
for (const step of steps) {
  console.log(`\n── ${step.name}: ${step.command.join(" ")}`);
  const startedAt = performance.now();
  const isOk = (await run(step)) === 0;
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

function run({ command, environment }: Step): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...environment, PATH: path },
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      resolve(signal === null ? (code ?? 1) : 130);
    });
  });
}

function installTestTools(
  wanted: readonly string[] = testTools.map(({ name }) => name),
): readonly Step[] {
  const missing = testTools
    .filter((tool) => wanted.includes(tool.name) && !tool.isPresent())
    .map((tool) => tool.name);
  if (missing.length === 0) return [];
  if (process.getuid?.() !== 0 || !isInstalled("apt-get")) {
    console.log(
      `not installed, and not installable here: ${missing.join(", ")}; their tests will skip`,
    );
    return [];
  }
  const command = `apt-get update -qq && apt-get install -qqy --no-install-recommends ${missing.join(" ")}`;
  return [{ name: `tools of the tests (${missing.join(", ")})`, command: ["sh", "-c", command] }];
}

/** The console's page is tested in Debian's Chromium. Without it that test says so and skips: no run fails for it. */
function installBrowser(): readonly Step[] {
  if (isInstalled("chromium")) return [];
  const skipped = "the console's test will skip";
  if (process.getuid?.() !== 0 || !isInstalled("apt-get")) {
    console.log(`not installed, and not installable here: chromium; ${skipped}`);
    return [];
  }
  const install = "apt-get update -qq && apt-get install -y --no-install-recommends chromium";
  const command = `${install} || echo "chromium could not be installed; ${skipped}"`;
  return [{ name: "browser of the console's test (chromium)", command: ["sh", "-c", command] }];
}

function isInstalled(program: string): boolean {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return directories.some((directory) => existsSync(join(directory, program)));
}
