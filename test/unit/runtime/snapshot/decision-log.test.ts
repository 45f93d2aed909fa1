// What `byom snapshot explain` knows of a start. If these fail, a user who asks why an instance came up cold gets no
// answer, or the answer of another instance.
import { appendFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../runtime/clock.ts";
import { wrapperFiles } from "../../../../runtime/oci-runtime/wrapper.ts";
import type { DecisionLog } from "../../../../runtime/snapshot/decision.ts";
import { openDecisionLog } from "../../../../runtime/snapshot/decision-log.ts";
import { wrapperDecisions } from "../../../../runtime/snapshot/wrapper-log.ts";

let directory: string;
let log: DecisionLog;
const containerId = "c0ffee".padEnd(64, "0");

const open = (fileBytesMax?: number): DecisionLog =>
  openDecisionLog({
    path: join(directory, "decisions.jsonl"),
    clock: systemClock,
    stateDirectory: join(directory, "state"),
    ...(fileBytesMax !== undefined && { fileBytesMax }),
  });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-decisions-"));
  log = open();
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function leaveWord(outcome: string, restoreLog = ""): Promise<void> {
  const files = wrapperFiles(join(directory, "state"), containerId);
  await mkdir(dirname(files.outcome), { recursive: true });
  await mkdir(files.work, { recursive: true });
  await writeFile(files.outcome, outcome);
  await writeFile(join(files.work, "restore.log"), restoreLog);
}

describe("the decision log", () => {
  it("tells an instance's decisions in order, and no other's, after a restart too", async () => {
    log.add("i-1", {
      by: "platform",
      what: "snapshot-found",
      text: "there is one",
      snapshotId: "s",
    });
    log.add("i-2", { by: "platform", what: "cold", text: "no snapshot yet" });
    log.add("i-1", { by: "platform", what: "proved", text: "it is itself" });
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z$/);
    expect(await open().explain("i-1")).toEqual([
      { at, by: "platform", what: "snapshot-found", text: "there is one", snapshotId: "s" },
      { at, by: "platform", what: "proved", text: "it is itself" },
    ]);
  });

  it("finds an instance by its container's ID and by a unique beginning only", async () => {
    log.add("i-abc1", { by: "platform", what: "cold", text: "x" });
    log.add("i-abd2", { by: "platform", what: "cold", text: "y" });
    await leaveWord("begin 10.00\nsnapshot /s/key-1\nresult restored\n");
    await log.collect("i-abd2", containerId);
    expect(await log.explain("c0ffee")).toHaveLength(4);
    expect(await log.explain("i-abc")).toHaveLength(1);
    expect(await log.explain("i-ab")).toEqual([]);
    expect(await log.explain("")).toEqual([]);
    expect(await log.explain("i-abd2x")).toEqual([]);
  });

  it("passes over a line that a crash cut off, and what is added later is whole", async () => {
    log.add("i-1", { by: "platform", what: "cold", text: "first" });
    await appendFile(join(directory, "decisions.jsonl"), '{"instance":"i-1","at":"20');
    const next = open();
    next.add("i-1", { by: "platform", what: "cold", text: "second" });
    expect((await next.explain("i-1")).map(({ text }) => text)).toEqual(["first", "second"]);
  });

  it("forgets the older half when it is full, and cuts a sentence without end", async () => {
    const small = open(4000);
    for (let index = 0; index < 100; index += 1) {
      small.add(`i-${index}`, { by: "platform", what: "cold", text: `start ${index}` });
    }
    expect((await stat(join(directory, "decisions.jsonl"))).size).toBeLessThanOrEqual(4000);
    expect(await small.explain("i-0")).toEqual([]);
    expect(await small.explain("i-99")).toMatchObject([{ text: "start 99" }]);
    log.add("i-long", { by: "criu", what: "error", text: "x".repeat(100_000) });
    expect((await log.explain("i-long"))[0]?.text).toHaveLength(1000);
  });

  it("fails no start when its directory is gone, and is its owner's to read", async () => {
    log.add("i-1", { by: "platform", what: "cold", text: "x" });
    expect((await stat(join(directory, "decisions.jsonl"))).mode & 0o777).toBe(0o600);
    await rm(directory, { recursive: true });
    log.add("i-1", { by: "platform", what: "cold", text: "x" });
    expect(await log.explain("i-1")).toEqual([]);
  });
});

describe("the wrapper's word", () => {
  it("becomes decisions with the host's time, CRIU's errors among them, and is taken once", async () => {
    const uptime = Number((await readFile("/proc/uptime", "utf8")).split(" ")[0]);
    await leaveWord(
      `begin ${uptime.toFixed(2)}\nsnapshot /data/key-1\nfiles ${uptime.toFixed(2)}\nreason it broke\nresult cold\n`,
      "(00.1)     11: Error (criu/files.c:1): no file\n(00.2) Error (criu/util.c:2): rlimit: Can't setup RLIMIT_NOFILE for self\n",
    );
    await log.collect("i-1", containerId);
    await log.collect("i-1", containerId);
    const decisions = await log.explain("i-1");
    expect(decisions.map(({ by, what, text }) => [by, what, text])).toEqual([
      ["oci-runtime", "marker-found", "the OCI runtime found the restore marker"],
      ["oci-runtime", "snapshot-opened", "it restores from /data/key-1"],
      ["oci-runtime", "files-applied", "the container's changed files are in its root"],
      ["oci-runtime", "restore-failed", "it broke"],
      ["criu", "error", "no file"],
    ]);
    expect(decisions.every(({ snapshotId }) => snapshotId === "key-1")).toBe(true);
  });

  it("counts its times from the boot", () => {
    const bootMs = Date.UTC(2026, 0, 1);
    const decisions = wrapperDecisions({
      text: "begin 60.25\nsnapshot /s\ncold 61.00\n",
      log: "",
      bootMs,
    });
    expect(decisions.map(({ at, what }) => [at, what])).toEqual([
      ["2026-01-01T00:01:00.250Z", "marker-found"],
      ["2026-01-01T00:01:00.250Z", "snapshot-opened"],
      ["2026-01-01T00:01:01.000Z", "cold"],
    ]);
  });
});
