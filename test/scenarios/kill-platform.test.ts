// kill -9 of `byom up` in the middle of a capture and in the middle of a restore. If this fails, a crash of the platform
// costs more than the call that was under way: a frozen container, half a snapshot that is offered again, containers
// and markers that nobody knows, or a model that does not come back.
//
// BYOM_KILL_POINTS=10 for ten moments of each.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  choosePoints,
  describePoint,
  observeSteps,
  untilReached,
  type KillPoint,
} from "../support/kill-points.ts";
import { settleLeftovers, type Inventory } from "../support/leftovers.ts";
import { whyNoPrivateEngine } from "../support/private-engine.ts";
import {
  createPrivatePlatform,
  type Answer,
  type PrivatePlatform,
} from "../support/private-platform.ts";

const pointsCount = Number(process.env["BYOM_KILL_POINTS"] ?? 2);
const modelId = "kill/platform";
const pointTimeoutMs = 60_000;

describe.skipIf(whyNoPrivateEngine() !== undefined)("kill -9 of the platform", () => {
  let platform: PrivatePlatform;
  let before: Inventory;
  let capture: { directories: readonly string[]; points: readonly KillPoint[] };
  let restore: typeof capture;
  /** Each capture is of a version of its own, also when the test is tried again. */
  let rounds = 0;
  /** Kills that came before the work had ended; a busy machine may miss one. */
  let inTime = 0;

  beforeAll(async () => {
    platform = await createPrivatePlatform({ keepsContainers: false });
    const captureDirectories = [join(platform.byom.dataDirectory, "snapshots")];
    const captureSteps = await observeSteps(captureDirectories, async () => {
      const deployed = await platform.deploy(modelId);
      expect(deployed.status, deployed.text).toBe(201);
    });
    await platform.zero(modelId);
    const { directory } = platform.engine;
    const restoreDirectories = [
      join(directory, "data/containers"),
      join(directory, "byom"),
      join(directory, "docker/runtime-runc/moby"),
    ];
    const restoreSteps = await observeSteps(restoreDirectories, async () => {
      const called = await platform.call(modelId);
      expect(called, called.reason).toMatchObject({ status: 200, mode: "restored" });
    });
    await platform.zero(modelId);
    before = await platform.inventory();
    capture = {
      directories: captureDirectories,
      points: choosePoints(captureSteps, pointsCount),
    };
    restore = {
      directories: restoreDirectories,
      points: choosePoints(restoreSteps, pointsCount),
    };
  });

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  it(
    `at ${pointsCount} points of a capture leaves a whole snapshot or none, and the next capture works`,
    async () => {
      const rows: string[] = [];
      inTime = 0;
      for (const point of capture.points) {
        const environment = { ROUND: String((rounds += 1)) };
        const deployed = await killAt(capture.directories, point, () =>
          platform.deploy(modelId, environment),
        );
        await platform.start();
        const called = await platform.call(modelId);
        expect(called, describePoint(point)).toMatchObject({ status: 200 });
        const again = await platform.deploy(modelId, environment);
        expect([200, 201], again.text).toContain(again.status);
        await platform.zero(modelId);
        const next = await platform.call(modelId);
        expect(next, `${describePoint(point)}: ${next.reason}`).toMatchObject({
          status: 200,
          mode: "restored",
        });
        await platform.zero(modelId);
        rows.push(row(point, deployed, called, next));
        const leftovers = await settleLeftovers(before, () => platform.inventory());
        expect(leftovers, describePoint(point)).toEqual([]);
      }
      print("capture", rows);
      expect(inTime).toBeGreaterThanOrEqual(pointsCount / 2);
    },
    60_000 + pointsCount * pointTimeoutMs,
  );

  it(
    `at ${pointsCount} points of a restore costs that call, and the next restore works`,
    async () => {
      const rows: string[] = [];
      inTime = 0;
      for (const point of restore.points) {
        const broken = await killAt(restore.directories, point, () => platform.call(modelId));
        await platform.start();
        const next = await platform.call(modelId);
        expect(next, describePoint(point)).toMatchObject({ status: 200 });
        await platform.zero(modelId);
        const last = await platform.call(modelId);
        expect(last, `${describePoint(point)}: ${last.reason}`).toMatchObject({
          status: 200,
          mode: "restored",
        });
        expect(last.output).toMatchObject({ restores: 1 });
        await platform.zero(modelId);
        rows.push(row(point, broken, next, last));
        const leftovers = await settleLeftovers(before, () => platform.inventory());
        expect(leftovers, describePoint(point)).toEqual([]);
      }
      print("restore", rows);
      expect(inTime).toBeGreaterThanOrEqual(pointsCount / 2);
    },
    60_000 + pointsCount * pointTimeoutMs,
  );

  /** The platform is dead when this resolves. */
  async function killAt(
    directories: readonly string[],
    point: KillPoint,
    work: () => Promise<Answer>,
  ): Promise<Answer> {
    let isOver = false;
    const reached = untilReached(directories, point, () => isOver);
    const answer = work().finally(() => (isOver = true));
    if (await reached) inTime += 1;
    process.kill(platform.pid(), "SIGKILL");
    return await answer;
  }
});

function row(point: KillPoint, broken: Answer, next: Answer, last: Answer): string {
  const told = ({ status, mode, ms }: Answer): string =>
    `${status === 0 ? "cut" : status} ${mode ?? ""} ${ms} ms`.replace("  ", " ");
  return [describePoint(point).padEnd(60), told(broken), told(next), told(last)].join(" | ");
}

function print(what: string, rows: readonly string[]): void {
  console.log(
    `kill -9 of the platform, ${what}: the call under way | the next | the last\n${rows.join("\n")}`,
  );
}
