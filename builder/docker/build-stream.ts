import type { Readable } from "node:stream";
import { z } from "zod";
import type { OnBuilderEvent } from "../events.ts";
import { readAnswerLines } from "./answer-lines.ts";
import { decodeBuildStatus } from "./buildkit-status.ts";
import type { BuildStatus, BuildVertex } from "./buildkit-status.ts";
import { EnvironmentBuildError } from "./errors.ts";

/** One line of the answer to POST /build (Engine API, "Build an image"). */
const recordSchema = z.object({
  id: z.string().optional(),
  aux: z.unknown().optional(),
  error: z.string().optional(),
});

/** Of the failing step's output, what a person needs to see the cause; pip's own errors take about ten lines. */
const failureLogLinesMax = 20;

/**
 * Follows a build to its end: each step becomes events, an error record becomes a rejection.
 * @throws EnvironmentBuildError with the failing step and its last log lines.
 */
export async function followBuild(options: {
  stream: Readable;
  onEvent?: OnBuilderEvent | undefined;
}): Promise<void> {
  const progress = createProgress(options.onEvent);
  let isFinished = false;
  for await (const line of readAnswerLines(options.stream)) {
    if (line.trim() === "") continue;
    const record = recordSchema.parse(JSON.parse(line));
    if (record.error !== undefined) throw progress.failure(record.error);
    if (record.id === "moby.buildkit.trace" && typeof record.aux === "string")
      progress.update(decodeBuildStatus(Buffer.from(record.aux, "base64")));
    if (record.id === "moby.image.id") isFinished = true;
  }
  if (!isFinished) throw progress.failure("the engine closed the connection before the end");
}

interface Progress {
  update(status: BuildStatus): void;
  failure(problem: string): EnvironmentBuildError;
}

interface Step {
  readonly name: string;
  readonly startedMs: number;
  readonly lines: string[];
  /** The start of a line whose end has not come yet. */
  rest: string;
  isEnded: boolean;
  error?: string;
}

function createProgress(onEvent: OnBuilderEvent | undefined): Progress {
  const steps = new Map<string, Step>();
  return {
    update: ({ vertices, logs }) => {
      for (const vertex of vertices) startStep({ steps, vertex, onEvent });
      for (const log of logs) appendLog({ steps, ...log, onEvent });
      for (const vertex of vertices) endStep({ steps, vertex, onEvent });
    },
    failure: (problem) => describeFailure({ steps: [...steps.values()], problem }),
  };
}

function startStep(options: {
  steps: Map<string, Step>;
  vertex: BuildVertex;
  onEvent: OnBuilderEvent | undefined;
}): void {
  const { digest, name, startedMs } = options.vertex;
  if (startedMs === undefined || options.steps.has(digest) || isInternal(name)) return;
  options.steps.set(digest, { name, startedMs, lines: [], rest: "", isEnded: false });
  options.onEvent?.({ type: "environment-step-start", id: digest, name });
}

function appendLog(options: {
  steps: Map<string, Step>;
  vertex: string;
  text: string;
  onEvent: OnBuilderEvent | undefined;
}): void {
  const step = options.steps.get(options.vertex);
  if (step === undefined) return;
  const lines = `${step.rest}${options.text}`.split("\n");
  step.rest = lines.pop() ?? "";
  for (const line of lines) appendLine({ ...options, step, line });
}

/** A progress bar rewrites its line with carriage returns; its last state is the line. */
function appendLine(options: {
  step: Step;
  vertex: string;
  line: string;
  onEvent: OnBuilderEvent | undefined;
}): void {
  const text = options.line.trimEnd().split("\r").at(-1) ?? "";
  if (text === "") return;
  const { lines } = options.step;
  lines.push(text);
  if (lines.length > failureLogLinesMax) lines.shift();
  options.onEvent?.({ type: "environment-step-log", id: options.vertex, text });
}

function endStep(options: {
  steps: Map<string, Step>;
  vertex: BuildVertex;
  onEvent: OnBuilderEvent | undefined;
}): void {
  const { digest, completedMs, error, isCached } = options.vertex;
  const step = options.steps.get(digest);
  if (step === undefined || step.isEnded || completedMs === undefined) return;
  appendLine({ step, vertex: digest, line: step.rest, onEvent: options.onEvent });
  step.isEnded = true;
  if (error !== undefined) step.error = error;
  options.onEvent?.({
    type: "environment-step-end",
    id: digest,
    name: step.name,
    ms: completedMs - step.startedMs,
    isCached,
    ...(error === undefined ? {} : { error }),
  });
}

/** Loading the Dockerfile and the context is BuildKit's own business. */
function isInternal(name: string): boolean {
  return name.startsWith("[internal]");
}

function describeFailure(options: {
  steps: readonly Step[];
  problem: string;
}): EnvironmentBuildError {
  // Steps that ran beside the failing one end with "context canceled".
  const failed =
    options.steps.find(({ error }) => error !== undefined && !error.includes("canceled")) ??
    options.steps.findLast(({ isEnded }) => !isEnded);
  const log = failed?.lines ?? [];
  const problem = /exit code: (?<code>\d+)/.exec(options.problem)?.groups?.["code"];
  return new EnvironmentBuildError({
    step: failed?.name,
    log,
    problem: problem === undefined ? options.problem : `exit code ${problem}`,
    hint: hintFor(`${log.join("\n")}\n${options.problem}`),
  });
}

const hints: readonly { readonly pattern: RegExp; readonly hint: string }[] = [
  {
    pattern: /No matching distribution found|Could not find a version/,
    hint: "correct the package's name or version in cog.yaml, or choose a python_version that it supports",
  },
  {
    pattern: /CERTIFICATE_VERIFY_FAILED|self[- ]signed certificate/,
    hint: "point SSL_CERT_FILE at a bundle that holds your network's certificate authority",
  },
  {
    pattern: /Unable to locate package/,
    hint: "correct build.system_packages in cog.yaml: the base image's distribution has no such package",
  },
  {
    pattern: /Temporary failure in name resolution|Could not resolve|Network is unreachable/,
    hint: "builds run in the engine's network: check its DNS and proxy (HTTP_PROXY, HTTPS_PROXY)",
  },
  {
    pattern: /No space left on device/,
    hint: "free disk space in the engine: docker system prune",
  },
  {
    pattern:
      /gcc: command not found|error: command '.*gcc' failed|No such file or directory: 'gcc'/,
    hint: "the package is compiled here: add build-essential to build.system_packages in cog.yaml",
  },
];

function hintFor(text: string): string {
  const known = hints.find(({ pattern }) => pattern.test(text));
  return (
    known?.hint ??
    "correct the step in cog.yaml (byom plan shows what each runs) or in your Dockerfile"
  );
}
