// `npm run quickstart [-- PICTURE] [--keep]`: the main job, on real parts. Sets the machine up, builds a model that
// reads text in pictures, pushes and deploys it, and calls it through the gateway: cold, restored from its memory
// snapshot, and resumed. It runs nothing but byom's own commands, which it shows.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { formatDuration, formatTable } from "../cli/output.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = fileURLToPath(new URL("../bin/byom.js", import.meta.url));
const repository = resolve(root, "quickstart-model");
const model = "demo/ocr";

const args = process.argv.slice(2);
const isKept = args.includes("--keep");
const named = args.find((word) => !word.startsWith("-"));
// npm runs scripts in the project's folder; the user's own picture is named from where they are.
const picture = resolve(
  named === undefined ? root : (process.env["INIT_CWD"] ?? "."),
  named ?? "test/fixtures/receipt.png",
);
if (!existsSync(picture)) {
  console.error(`there is no picture ${picture}`);
  process.exit(2);
}

const startedAt = performance.now();
const phases: (readonly [string, number])[] = [];
let isPlatformOurs = false;
const child: { current?: ReturnType<typeof spawn> } = {};
let isInterrupted = false;
process.on("SIGINT", () => (isInterrupted = true));
process.on("SIGTERM", () => {
  isInterrupted = true;
  child.current?.kill("SIGTERM");
});

try {
  await phase("set up this machine", ["host", "setup"]);
  await startPlatform();
  if (!existsSync(resolve(repository, "cog.yaml"))) {
    await phase("write the model repo", ["init", repository, "--template", "ocr"]);
  }
  await phase("build, push, deploy, snapshot", ["-C", repository, "push", model]);
  const cold = await measure("cold", ["scale", model, "--to", "zero", "--next-cold"]);
  const restored = await measure("restored", ["scale", model, "--to", "zero"]);
  const resumed = await measure("resumed", ["scale", model, "--to", "paused"]);
  report([cold, restored, resumed]);
} catch (error) {
  console.error(`\nquickstart stopped: ${(error as Error).message}`);
  process.exitCode = isInterrupted ? 130 : 1;
} finally {
  if (isPlatformOurs && !isKept) await byom(["down"], { isQuiet: true }).catch(() => undefined);
}

interface Measurement {
  readonly mode: string;
  /** From the request to the answer, through the gateway. */
  readonly answeredMs: number;
  readonly output: { readonly text: string };
  readonly start: { readonly mode: string; readonly totalMs: number; readonly reason?: string };
}

/** Lets the instance go in the given way and calls the model: the first caller waits for the start. */
async function measure(mode: string, release: readonly string[]): Promise<Measurement> {
  await byom(release, { isQuiet: true });
  const command = ["call", model, "-i", `image=@${picture}`];
  const value = await phase(`call it, ${mode} start`, command);
  return { ...(value as Omit<Measurement, "mode">), mode };
}

async function startPlatform(): Promise<void> {
  const running = await byom(["status"], { isQuiet: true }).catch(() => undefined);
  if (running !== undefined) {
    console.error("\nA platform runs already on this machine: using it, and leaving it running.");
    return;
  }
  isPlatformOurs = true;
  await phase("start the platform", ["up", "--detach"]);
}

/** Runs one byom command as a user would type it, and keeps its time. */
async function phase(name: string, command: readonly string[]): Promise<unknown> {
  console.error(`\n▸ ${name}\n$ npx byom ${command.map(shorten).join(" ")}`);
  const begin = performance.now();
  const value = await byom(command, { isQuiet: false });
  const milliseconds = performance.now() - begin;
  phases.push([name, milliseconds]);
  console.error(`  ${formatDuration(milliseconds)}`);
  return value;
}

async function byom(
  command: readonly string[],
  { isQuiet }: { readonly isQuiet: boolean },
): Promise<unknown> {
  if (isInterrupted && command[0] !== "down") throw new Error("interrupted");
  const running = spawn(process.execPath, [program, ...command, "--json"], {
    stdio: ["ignore", "pipe", isQuiet ? "ignore" : "inherit"],
  });
  child.current = running;
  let text = "";
  running.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const code = await new Promise<number>((done, fail) => {
    running.on("error", fail);
    running.on("close", (exitCode) => done(exitCode ?? 130));
  });
  const document =
    text === "" ? {} : (JSON.parse(text) as { error?: { message: string; hint?: string } });
  if (code === 0) return document;
  const { error } = document;
  const hint = error?.hint === undefined ? "" : `\n  try: ${error.hint}`;
  throw new Error(`byom ${command[0]} ended with ${code}: ${error?.message ?? ""}${hint}`);
}

function report(measurements: readonly Measurement[]): void {
  const [cold] = measurements;
  const rows = measurements.map(({ mode, start, answeredMs }) => [
    mode,
    start.mode === mode ? formatDuration(start.totalMs) : `${start.mode}: ${start.reason ?? ""}`,
    formatDuration(answeredMs),
    `${((cold?.answeredMs ?? 0) / answeredMs).toFixed(1)}×`,
  ]);
  console.log(
    `\nThe text in ${shorten(picture)}:\n\n${indent(measurements.at(-1)?.output.text ?? "")}\n`,
  );
  console.log(
    formatTable([
      ["start", "instance ready after", "first answer after", "faster than cold"],
      ...rows,
    ]),
  );
  console.log(`\n${formatTable(phases.map(([name, ms]) => [formatDuration(ms), name]))}`);
  console.log(`${formatDuration(performance.now() - startedAt)}  in all\n`);
  console.log(isKept || !isPlatformOurs ? nextWithPlatform() : nextWithoutPlatform());
}

function nextWithPlatform(): string {
  return [
    "The platform is running. Next:",
    `  npx byom call ${model} -i image=@page.png`,
    "  npx byom init my-model && npx byom -C my-model push me/chat   # a language model",
    "  npx byom status",
    "  npx byom down",
  ].join("\n");
}

function nextWithoutPlatform(): string {
  return [
    "The platform was stopped; the model is still there. Next:",
    "  npx byom up --detach",
    `  npx byom call ${model} -i image=@page.png                     # restored from its snapshot`,
    "  npx byom init my-model && npx byom -C my-model push me/chat   # a language model",
    "  npx byom down",
  ].join("\n");
}

function shorten(word: string): string {
  const path = word.startsWith("image=@") ? word.slice("image=@".length) : word;
  if (!path.startsWith("/")) return word;
  const near = relative(process.cwd(), path);
  const shorter = near.startsWith("..") ? path : near;
  return word === path ? shorter : `image=@${shorter}`;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
