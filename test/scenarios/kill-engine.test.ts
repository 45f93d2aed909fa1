// kill -9 of dockerd, and of the containerd that it runs, in the middle of a capture and in the middle of a restore. If
// this fails, a crash of the engine leaves a caller without an answer, costs the model its snapshot, or leaves containers
// that the engine no longer knows and that keep their memory.
//
// Part of `npm run test:snapshots`, not of `npm test`. BYOM_KILL_POINTS=10 for ten moments of each, on an engine that
// keeps its containers alive while it is away as well.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
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

const pointsCount = Number(process.env["BYOM_KILL_POINTS"] ?? 0);
if (pointsCount === 0)
  console.warn("skipped: kill -9 of dockerd: `npm run test:snapshots` runs it");
const modelId = "kill/engine";
const pointTimeoutMs = 120_000;
/** As systemd does it (`RestartSec=2`): callers may have their answer before. */
const engineAwayMs = 2000;

describe
  .skipIf(pointsCount === 0 || whyNoPrivateEngine() !== undefined)
  .each(pointsCount < 10 ? [false] : [false, true])(
  "kill -9 of dockerd, live-restore %s",
  (keepsContainers) => {
    let platform: PrivatePlatform;
    let before: Inventory;
    let capture: { directories: readonly string[]; points: readonly KillPoint[] };
    let restore: typeof capture;
    /** Each capture is of a version of its own, also when the test is tried again. */
    let rounds = 0;
    /** Kills that came before the work had ended; a busy machine may miss one. */
    let inTime = 0;

    beforeAll(async () => {
      platform = await createPrivatePlatform({ keepsContainers });
      const { directory } = platform.engine;
      const captureDirectories = [join(platform.byom.dataDirectory, "snapshots")];
      const captureSteps = await observeSteps(captureDirectories, async () => {
        const deployed = await platform.deploy(modelId);
        expect(deployed.status, deployed.text).toBe(201);
      });
      await platform.zero(modelId);
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
      `at ${pointsCount} points of a capture: the deploy answers, and the next one works`,
      async () => {
        const rows: string[] = [];
        inTime = 0;
        for (const point of capture.points) {
          const environment = { ROUND: String((rounds += 1)) };
          const deployed = await killAt(capture.directories, point, () =>
            platform.deploy(modelId, environment),
          );
          expectAnswerOrCleanError(deployed, point);
          const called = await platform.call(modelId);
          expect(called, describePoint(point)).toMatchObject({ status: 200 });
          const again = await platform.deploy(modelId, environment);
          expect([200, 201], again.text).toContain(again.status);
          rows.push(row(point, deployed, called, again));
          await expectNothingLeft(point);
        }
        print("capture", rows);
        expect(inTime).toBeGreaterThanOrEqual(pointsCount / 2);
      },
      60_000 + pointsCount * pointTimeoutMs,
    );

    it(
      `at ${pointsCount} points of a restore: the caller has an answer, and the snapshot is still good`,
      async () => {
        const rows: string[] = [];
        inTime = 0;
        // Of the version that the captures left, if it has none yet.
        await platform.deploy(modelId, { ROUND: "restore" });
        await platform.zero(modelId);
        for (const point of restore.points) {
          const broken = await killAt(restore.directories, point, () => platform.call(modelId));
          expectAnswerOrCleanError(broken, point);
          const next = await platform.call(modelId);
          expect(next, `${describePoint(point)}: ${next.text}`).toMatchObject({ status: 200 });
          await platform.zero(modelId);
          const last = await platform.call(modelId);
          expect(last, `${describePoint(point)}: ${last.reason}`).toMatchObject({
            status: 200,
            mode: "restored",
          });
          expect(last.output).toMatchObject({ restores: 1 });
          rows.push(row(point, broken, next, last));
          await expectNothingLeft(point);
        }
        print("restore", rows);
        expect(inTime).toBeGreaterThanOrEqual(pointsCount / 2);
      },
      60_000 + pointsCount * pointTimeoutMs,
    );

    /** The engine is back when this resolves. */
    async function killAt(
      directories: readonly string[],
      point: KillPoint,
      work: () => Promise<Answer>,
    ): Promise<Answer> {
      let isOver = false;
      const reached = untilReached(directories, point, () => isOver);
      const answer = work().finally(() => (isOver = true));
      if (await reached) inTime += 1;
      await platform.engine.kill();
      await Promise.race([answer, delay(engineAwayMs)]);
      await platform.engine.start();
      return await answer;
    }

    async function expectNothingLeft(point: KillPoint): Promise<void> {
      await platform.zero(modelId);
      const leftovers = await settleLeftovers(before, () => platform.inventory());
      // What the engine says of a container that it has forgotten is gone with its directory.
      if (leftovers.length > 0) console.log(platform.engine.log().slice(-20_000));
      expect(leftovers, describePoint(point)).toEqual([]);
    }

    function print(what: string, rows: readonly string[]): void {
      console.log(
        `kill -9 of dockerd (live-restore ${keepsContainers}), ${what}: under way | the next | the last\n${rows.join("\n")}`,
      );
    }
  },
);

/** The platform lives: its callers never see a broken connection, and an error has a code and words. */
function expectAnswerOrCleanError({ status, text }: Answer, point: KillPoint): void {
  if (status === 200 || status === 201) return;
  expect(status, `${describePoint(point)}: ${text}`).toBeGreaterThanOrEqual(400);
  // The admin API says `error.message`, Cog's shape has the words in `error` itself.
  const { error } = JSON.parse(text) as { error?: string | { message?: string } };
  const message = typeof error === "string" ? error : error?.message;
  expect(message, `${describePoint(point)}: ${text}`).toMatch(/\w/);
}

function row(point: KillPoint, broken: Answer, next: Answer, last: Answer): string {
  const told = ({ status, mode, ms, reason }: Answer): string =>
    `${status} ${mode ?? ""} ${ms} ms ${reason ?? ""}`.replaceAll("  ", " ").trim();
  return [describePoint(point).padEnd(60), told(broken), told(next), told(last)].join(" | ");
}
