import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A moment of a piece of work: when a file appears for which it is known, and a while after that. */
export interface KillPoint {
  /** Without the parts that change from run to run. */
  readonly file: string;
  readonly afterMs: number;
}

/** The files last for milliseconds. */
const pollMs = 1;
/** A point that is not passed in this time is not on the way any more. */
const reachTimeoutMs = 30_000;

/** Runs the work undisturbed and notes in which order files appear below the directories, and how long the rest takes. */
export async function observeSteps(
  directories: readonly string[],
  work: () => Promise<unknown>,
): Promise<readonly KillPoint[]> {
  const known = new Set(listFiles(directories));
  const steps: string[] = [];
  let lastAt = performance.now();
  let isOver = false;
  const ended = work().finally(() => (isOver = true));
  // Its failure is told at the end; until then nobody waits for it.
  ended.catch(() => {});
  while (!isOver) {
    const appeared = listFiles(directories).filter((file) => !known.has(file));
    for (const file of appeared) known.add(file);
    // What appears together, as by the renaming of a directory, is one moment.
    const first = appeared.find((file) => !isFleeting.test(file));
    if (first !== undefined) steps.push(withoutIds(first));
    if (appeared.length > 0) lastAt = performance.now();
    await delay(pollMs);
  }
  await ended;
  const restMs = Math.round(performance.now() - lastAt);
  const last = steps.at(-1) ?? "";
  const points = [...new Set(steps)].map((file) => ({ file, afterMs: 0 }));
  // What follows the last file shows in no directory: its middle, and just before the end.
  return [...points, ...[0.4, 0.8].map((part) => ({ file: last, afterMs: restMs * part }))];
}

/** Files that are renamed as soon as they are written: they are seen by chance. */
const isFleeting = /\.(?:new|part)$|(?:^|\/)\.tmp-/;

/** So many of them, spread evenly. */
export function choosePoints(points: readonly KillPoint[], count: number): readonly KillPoint[] {
  const at = (index: number): number => Math.floor(((index + 0.5) * points.length) / count);
  return Array.from({ length: count }, (_, index) => points[at(index)]).filter(
    (point) => point !== undefined,
  );
}

/** Resolves when the point is reached: true; false when the work was over before. Call it before the work begins. */
export async function untilReached(
  directories: readonly string[],
  point: KillPoint,
  isOver: () => boolean,
): Promise<boolean> {
  const before = new Set(listFiles(directories));
  const deadline = performance.now() + reachTimeoutMs;
  for (;;) {
    const isThere = listFiles(directories).some(
      (file) => !before.has(file) && withoutIds(file) === point.file,
    );
    if (isThere) break;
    if (isOver() || performance.now() > deadline) return false;
    await delay(pollMs);
  }
  await delay(point.afterMs);
  return !isOver();
}

export function describePoint({ file, afterMs }: KillPoint): string {
  return afterMs === 0 ? file : `${file} + ${Math.round(afterMs)} ms`;
}

/** As paths below the directories; ones that vanish meanwhile are left out. */
function listFiles(directories: readonly string[]): readonly string[] {
  return directories.flatMap((directory) => below(directory, ""));
}

function below(directory: string, path: string): readonly string[] {
  try {
    return readdirSync(join(directory, path), { withFileTypes: true }).flatMap((entry) => {
      const name = path === "" ? entry.name : `${path}/${entry.name}`;
      return entry.isDirectory() ? [name, ...below(directory, name)] : [name];
    });
  } catch {
    return [];
  }
}

/** Ids of containers and snapshots, numbers of processes and of images. */
function withoutIds(file: string): string {
  return file.replaceAll(/[0-9a-f]{8,}|\d+/g, "*");
}
