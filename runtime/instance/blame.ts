import type { ContainerState, Engine } from "../engine/engine.ts";
import { EngineError } from "../errors.ts";

/** An engine that lives answers in milliseconds. */
const lookTimeoutMs = 5000;

/**
 * Why a failed restore says nothing against its snapshot, which may then be tried again: the engine died, somebody
 * stopped the container, or the host had no memory or no disk left. Undefined when the snapshot is to blame.
 */
export async function findExcuse(
  engine: Pick<Engine, "inspect">,
  input: { readonly containerId: string; readonly error: unknown },
): Promise<string | undefined> {
  const { containerId, error } = input;
  if (error instanceof EngineError && error.code === "engine_unreachable") return engineDied;
  const lacks = lackingOf(messageOf(error));
  if (lacks !== undefined) return lacks;
  const signal = AbortSignal.timeout(lookTimeoutMs);
  try {
    return excuseOf(await engine.inspect(containerId, { signal }));
  } catch {
    return engineDied;
  }
}

const engineDied = "the container engine was away";

function excuseOf(container: ContainerState | undefined): string | undefined {
  if (container === undefined) return "somebody removed the container";
  if (container.isOutOfMemory) return "the container ran out of memory";
  if (container.exitCode === undefined || !stoppedFromOutside.has(container.exitCode)) {
    return undefined;
  }
  return `the container was stopped from outside (exit code ${container.exitCode})`;
}

/** SIGKILL and SIGTERM as a shell counts them; 255 is Docker's when it finds a container dead that ran at its own end. */
const stoppedFromOutside: ReadonlySet<number> = new Set([137, 143, 255]);

/** The kernel's words as CRIU, runc and tar pass them on (errno(3): ENOMEM, ENOSPC, EDQUOT, EMFILE, ENFILE). */
const lacks: readonly (readonly [RegExp, string])[] = [
  [/cannot allocate memory|can't allocate memory|out of memory/i, "the host had no memory left"],
  [/no space left on device|disk quota exceeded/i, "the host had no disk left"],
  [/too many open files/i, "the host had no open files left"],
];

function lackingOf(message: string): string | undefined {
  return lacks.find(([pattern]) => pattern.test(message))?.[1];
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What led to a cold start, in the order in which it came. */
export function joinReasons(reasons: readonly (string | undefined)[]): string {
  return reasons.filter((part) => part !== undefined).join("; ");
}
