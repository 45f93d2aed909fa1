// kill -9 of the OCI runtime wrapper, of runc and of CRIU in the middle of a restore, and of runc and CRIU in the middle
// of a capture. If this fails, a call that met such a kill gets no answer, or the machine keeps half-restored processes,
// mounts and cgroups for ever, or a container that was captured stays frozen.
//
// BYOM_KILL_POINTS=10 for ten moments of each.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settleLeftovers, type Inventory } from "../support/leftovers.ts";
import { engineProcesses, whyNoPrivateEngine } from "../support/private-engine.ts";
import {
  createPrivatePlatform,
  type Answer,
  type PrivatePlatform,
} from "../support/private-platform.ts";

const pointsCount = Number(process.env["BYOM_KILL_POINTS"] ?? 1);
const modelId = "kill/restore";
const pointTimeoutMs = 90_000;
const pollMs = 2;

type Victim = "wrapper" | "runc" | "criu";

describe.skipIf(whyNoPrivateEngine() !== undefined)("kill -9", () => {
  let platform: PrivatePlatform;
  let before: Inventory;
  /** How long they take undisturbed. */
  let restoreMs = 0;
  let captureMs = 0;
  let round = 0;
  /** Of the version that is deployed now. */
  let environment: Readonly<Record<string, string>> = {};

  beforeAll(async () => {
    platform = await createPrivatePlatform({ keepsContainers: false });
    captureMs = await durationOf("runc", deploy);
    await platform.zero(modelId);
    restoreMs = await durationOf("wrapper", async () => {
      expect(await platform.call(modelId)).toMatchObject({ status: 200, mode: "restored" });
    });
    await platform.zero(modelId);
    before = await platform.inventory();
  });

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  it.each(["wrapper", "runc", "criu"] as const)(
    `of %s at ${pointsCount} points of a restore: the call is answered, nothing is left, the next start works`,
    async (victim) => {
      const rows: string[] = [];
      for (const afterMs of points(restoreMs)) {
        const work = (): Promise<Answer> => platform.call(modelId);
        const { answer, killed } = await killAt({ start: "wrapper", afterMs, victim, work });
        rows.push(row(afterMs, killed, answer));
        const title = `${victim} after ${afterMs} ms: ${answer.text}`;
        expect(answer.status, title).toBe(200);
        expect(answer.mode, title).toMatch(/^(?:cold|restored)/);
        if (answer.mode === "cold") {
          // It was started anew, not over the files of the snapshot's container.
          expect(answer.output, title).toMatchObject({ restores: 0, seen: [] });
          await redeploy();
        }
        await expectNextWorks(title);
      }
      print(`${victim}, restore`, rows);
    },
    60_000 + pointsCount * pointTimeoutMs,
  );

  it.each(["runc", "criu"] as const)(
    `of %s at ${pointsCount} points of a capture: the container serves on or is replaced, and the next capture works`,
    async (victim) => {
      const rows: string[] = [];
      for (const afterMs of points(captureMs)) {
        round += 1;
        environment = { ROUND: String(round) };
        const work = (): Promise<Answer> => platform.deploy(modelId, environment);
        const { answer, killed } = await killAt({ start: "runc", afterMs, victim, work });
        const called = await platform.call(modelId);
        rows.push(row(afterMs, killed, answer, called));
        const title = `${victim} after ${afterMs} ms: ${answer.text}`;
        expect(called.status, `${title}: ${called.text}`).toBe(200);
        await redeploy();
        await expectNextWorks(title);
      }
      print(`${victim}, capture`, rows);
    },
    60_000 + pointsCount * pointTimeoutMs,
  );

  async function deploy(): Promise<void> {
    const deployed = await platform.deploy(modelId, environment);
    expect([200, 201], deployed.text).toContain(deployed.status);
  }

  /** With another environment, so that a snapshot is made again: the one that failed is not tried any more. */
  async function redeploy(): Promise<void> {
    round += 1;
    environment = { ROUND: String(round) };
    await deploy();
  }

  async function expectNextWorks(title: string): Promise<void> {
    await platform.zero(modelId);
    const next = await platform.call(modelId);
    expect(next, `${title}; next: ${next.reason}`).toMatchObject({ status: 200, mode: "restored" });
    await platform.zero(modelId);
    const leftovers = await settleLeftovers(before, () => platform.inventory());
    expect(leftovers, title).toEqual([]);
  }

  /** Kills the victim so long after another program was first seen, or as soon as it runs after that. */
  async function killAt(options: {
    readonly start: Victim;
    readonly afterMs: number;
    readonly victim: Victim;
    readonly work: () => Promise<Answer>;
  }): Promise<{ answer: Answer; killed: boolean }> {
    let isOver = false;
    let killed = false;
    const answer = options.work().finally(() => (isOver = true));
    while (!isOver && find(options.start).length === 0) await delay(pollMs);
    await delay(options.afterMs);
    while (!isOver && !killed) {
      killed = killAll(find(options.victim));
      await delay(pollMs);
    }
    return { answer: await answer, killed };
  }

  async function durationOf(program: Victim, work: () => Promise<void>): Promise<number> {
    let isOver = false;
    const ended = work().finally(() => (isOver = true));
    let [first, last] = [0, 0];
    while (!isOver) {
      if (find(program).length > 0) {
        last = performance.now();
        first ||= last;
      }
      await delay(pollMs);
    }
    await ended;
    return last - first;
  }

  function find(victim: Victim): readonly number[] {
    const own = engineProcesses(platform.engine);
    // CRIU soon lives in a mount namespace of its own making, and may have been started by a loader beside it.
    if (victim === "criu") {
      const parents = find("runc");
      return numbers("/proc").filter(
        (pid) => parents.includes(parentOf(pid)) && programOf(pid).includes("criu"),
      );
    }
    return own.filter((pid) => {
      const words = commandLine(pid);
      const isWrapper = words[1]?.endsWith("/byom-runc") === true;
      if (victim === "wrapper") return isWrapper && words.includes("create");
      const isAtWork = words.includes("restore") || words.includes("checkpoint");
      return isAtWork && words[0]?.endsWith("/runc") === true;
    });
  }
});

/** Spread evenly over a duration, in whole milliseconds. */
function points(durationMs: number): readonly number[] {
  return Array.from({ length: pointsCount }, (_, index) =>
    Math.round((durationMs * (index + 0.5)) / pointsCount),
  );
}

function killAll(pids: readonly number[]): boolean {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // it ended meanwhile
    }
  }
  return pids.length > 0;
}

function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function numbers(directory: string): readonly number[] {
  return readdirSync(directory)
    .map(Number)
    .filter((number) => number > 0);
}

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

/** Field 4 of /proc/PID/stat, counted after the name, which may hold anything; 0 when there is no such process. */
function parentOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}

function row(afterMs: number, killed: boolean, answer: Answer, next?: Answer): string {
  const told = ({ status, mode, reason, ms }: Answer): string =>
    `${status} ${mode ?? ""} ${ms} ms ${reason ?? ""}`.trim();
  const parts = [`after ${afterMs} ms`, killed ? "killed" : "too late", told(answer)];
  return [...parts, ...(next === undefined ? [] : [told(next)])].join(" | ");
}

function print(what: string, rows: readonly string[]): void {
  console.log(`kill -9 of ${what}\n${rows.join("\n")}`);
}
