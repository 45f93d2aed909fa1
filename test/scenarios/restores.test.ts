// A model that comes and goes all day. If this fails, a machine that serves for weeks fills up with what restored
// containers leave behind: processes, mounts, cgroups, network endpoints, markers, open files; or callers that come at
// once do not all get their answer.
//
// BYOM_RESTORES=200 for the long run, with ten at once.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeInventories, settleLeftovers, type Inventory } from "../support/leftovers.ts";
import { whyNoPrivateEngine } from "../support/private-engine.ts";
import { createPrivatePlatform, type PrivatePlatform } from "../support/private-platform.ts";

const rounds = Number(process.env["BYOM_RESTORES"] ?? 8);
const modelId = "restores/clone";
/** They have one image and one environment, so that they share one snapshot. */
const atOnce = Array.from(
  { length: rounds < 100 ? 4 : 10 },
  (_, index) => `restores/together-${index}`,
);
const roundTimeoutMs = 30_000;

describe.skipIf(whyNoPrivateEngine() !== undefined)("restores of one snapshot", () => {
  let platform: PrivatePlatform;
  let before: Inventory;

  beforeAll(async () => {
    platform = await createPrivatePlatform({ keepsContainers: false });
    const deploy = async (id: string): Promise<void> => {
      const { status, text } = await platform.deploy(id);
      expect(status, text).toBe(201);
      await platform.zero(id);
    };
    await deploy(modelId);
    await Promise.all(atOnce.map(deploy));
    // The first restore opens what stays open: connections to the engine, files that are loaded when needed.
    expect(await platform.call(modelId)).toMatchObject({ status: 200, mode: "restored" });
    await platform.zero(modelId);
    before = await platform.inventory();
  });

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  it(
    `leave nothing behind after ${rounds} in a row, each stopped again`,
    async () => {
      const seen = new Set<unknown>();
      const times: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const answer = await platform.call(modelId);
        expect(answer, `restore ${round + 1}`).toMatchObject({ status: 200, mode: "restored" });
        expect(answer.output).toMatchObject({ restores: 1, written: "kept", deleted: true });
        seen.add(answer.output?.["uuid"]).add(answer.output?.["random"]);
        times.push(answer.ms);
        await platform.zero(modelId);
      }
      expect(seen.size).toBe(2 * rounds);
      await expectNothingLeft(`${rounds} restores, median ${median(times)} ms`);
    },
    Math.max(rounds * roundTimeoutMs, 300_000),
  );

  it(`answer every caller when ${atOnce.length} are wanted at once, and leave nothing behind`, async () => {
    const answers = await Promise.all(atOnce.map((id) => platform.call(id)));
    expect(answers.map(({ status, mode, reason }) => ({ status, mode, reason }))).toEqual(
      atOnce.map(() => ({ status: 200, mode: "restored", reason: undefined })),
    );
    expect(new Set(answers.map(({ output }) => output?.["random"])).size).toBe(atOnce.length);
    await Promise.all(atOnce.map((id) => platform.zero(id)));
    const slowest = Math.max(...answers.map(({ ms }) => ms));
    await expectNothingLeft(`${atOnce.length} restores at once, the slowest ${slowest} ms`);
  });

  async function expectNothingLeft(title: string): Promise<void> {
    const leftovers = await settleLeftovers(before, () => platform.inventory());
    console.log(`${title}\n${describeInventories(before, await platform.inventory())}`);
    expect(leftovers).toEqual([]);
  }
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
