import { readFile } from "node:fs/promises";

import type { ContainerState, Engine } from "../engine/engine.ts";
import { StartError, type StartPhaseName } from "../errors.ts";
import { readModelLog } from "./log-lines.ts";

/** Enough for a Python traceback with the lines that led to it. */
export const failureLogLines = 50;
/** Read from the engine: coglet's own lines, some twenty for a start, are among them. */
const engineLogLines = 200;
/** The container is about to be removed: what cannot be learned in this time is left out. */
const diagnoseTimeoutMs = 5000;

/** What went wrong, before the container and its logs are gone. Never rejects. */
export async function diagnose(input: {
  readonly engine: Engine;
  readonly containerId: string | undefined;
  readonly phase: StartPhaseName;
  readonly code?: "start_failed" | "start_timeout";
  readonly message: string;
  /** Output of setup() as coglet tells it, for when the engine has no logs. */
  readonly setupLogs?: string | undefined;
  readonly cause?: unknown;
}): Promise<StartError> {
  const { engine, containerId, phase } = input;
  const signal = AbortSignal.timeout(diagnoseTimeoutMs);
  const [state, logs] =
    containerId === undefined
      ? [undefined, ""]
      : await Promise.all([
          engine.inspect(containerId, { signal }).catch(() => undefined),
          engine.logs(containerId, { lines: engineLogLines, signal }).catch(() => ""),
        ]);
  const isOutOfMemory = state?.isOutOfMemory === true || (await wasKilledForMemory(state));
  const hasExited = state?.status === "exited" || state?.status === "dead";
  const exitCode = hasExited ? state.exitCode : undefined;
  const text = logs.trim() === "" ? (input.setupLogs ?? "") : logs;
  return new StartError(input.code ?? "start_failed", input.message, {
    phase,
    exitCode,
    isOutOfMemory,
    logLines: readModelLog(text).slice(-failureLogLines),
    hint: hintFor({ phase, isOutOfMemory, exitCode, code: input.code }),
    cause: input.cause,
  });
}

/**
 * Under tini the kernel may kill the Python worker alone: the container lives on and the engine's flag stays false.
 * The cgroup's own count tells (memory.events in v2, memory.oom_control in v1).
 */
async function wasKilledForMemory(state: ContainerState | undefined): Promise<boolean> {
  if (state?.pid === undefined) return false;
  const files = await memoryEventFiles(state.pid);
  for (const file of files) {
    const text = await readFile(file, "utf8").catch(() => "");
    const kills = /^oom_kill (\d+)$/m.exec(text)?.[1];
    if (kills !== undefined) return Number(kills) > 0;
  }
  return false;
}

async function memoryEventFiles(pid: number): Promise<readonly string[]> {
  const cgroups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return cgroups.split("\n").flatMap((line) => {
    const [, controllers, group] = line.split(":");
    if (group === undefined) return [];
    if (controllers === "") return [`/sys/fs/cgroup${group}/memory.events`];
    if (controllers !== "memory") return [];
    return [`/sys/fs/cgroup/memory${group}/memory.oom_control`];
  });
}

function hintFor(facts: {
  phase: StartPhaseName;
  isOutOfMemory: boolean;
  exitCode: number | undefined;
  code: string | undefined;
}): string {
  if (facts.isOutOfMemory) return "give the model more memory (`memory` in byom.yaml)";
  if (facts.phase === "image") return "check that the registry is reachable and holds this digest";
  if (facts.phase === "example") {
    return "run the same input with `byom run`, or change the example in byom.yaml";
  }
  if (facts.code === "start_timeout") {
    return "if setup() needs longer than this, raise setup_timeout in byom.yaml";
  }
  if (facts.exitCode === 137) return "the container was killed: by hand, or for its memory";
  if (facts.phase === "setup")
    return "read the log lines above, then try it locally with `byom run`";
  return "see `byom doctor` for the state of the engine";
}
