// What was spent as an owner reads it at the command line, against a real gateway.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { commands } from "../../../../cli/commands/index.ts";
import type { Context } from "../../../../cli/context.ts";
import { findCommand, parseCommandLine } from "../../../../cli/parse.ts";
import { formatDollars, renderSpend, type SpendReport } from "../../../../cli/report/spend.ts";
import {
  keys,
  removeDirectory,
  startPlatform,
  type Platform,
} from "../../gateway/admin/platform.ts";
import { leg, openJournal, write } from "../../gateway/usage/ledger/support.ts";
import { captureOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const day = Date.UTC(2026, 10, 20, 9);
let platform: Platform;
let folder: string;
beforeEach(async () => {
  // What a platform that was killed has left.
  folder = createTemporaryFolder();
  const journal = openJournal(join(folder, "ledger"), "killed");
  write(journal, leg("a", over("search", 0)), 1_234_567_891);
  write(journal, leg("b", over("search", 1)), 50_000);
  write(journal, leg("c", over("ads", 1)), 7);
  journal.begin(leg("lost", over("ads", 1)));
  journal.close();
  platform = await startPlatform({ directory: folder });
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(folder);
});

function over(team: string, days: number): Parameters<typeof leg>[1] {
  return { beganAtMs: day + days * 86_400_000, metadata: { team }, keyId: "key-3" };
}

async function byom(...argv: readonly string[]): Promise<string> {
  const found = findCommand(commands, argv);
  if (found === undefined) throw new Error(`no command: ${argv.join(" ")}`);
  const command = await found.entry.load();
  const { flags, positionals } = parseCommandLine(found.entry.name, command, found.rest);
  const captured = captureOutput({ isJson: flags.has("json") });
  const home = createTemporaryFolder();
  const context: Context = {
    environment: { BYOM_URL: platform.url, BYOM_API_KEY: keys.admin },
    directory: home,
    homeDirectory: home,
    isRoot: false,
    directories: { data: home, config: join(home, "config"), run: join(home, "run") },
    output: captured.output,
    isVerbose: false,
    signal: new AbortController().signal,
  };
  await command.run({ positionals, flags, context });
  return captured.stdout().trimEnd();
}

it("is a table with aligned dollars, a total, and what keeps it from being the whole truth", async () => {
  expect(await byom("spend", "--by", "metadata.team")).toBe(
    [
      "metadata.team     spent  legs",
      "search          $1.2346     2",
      "ads            <$0.0001     2  1 interrupted",
      "total           $1.2346     4  1 interrupted",
      "",
      "1 legs were interrupted by a kill: what they cost is not known; `byom spend --legs --where state=interrupted` lists them, `byom spend settle FILE` says what they cost",
    ].join("\n"),
  );
  expect(await byom("spend", "--by", "day,metadata.team", "--exact", "--to", "2026-11-21")).toBe(
    [
      "day         metadata.team         spent  legs",
      "2026-11-20  search         $1.234567891     1",
      "total                      $1.234567891     1",
    ].join("\n"),
  );
  expect(await byom("spend", "--by", "total", "--where", "metadata.team=ads", "--exact")).toContain(
    "total  $0.000000007     2  1 interrupted",
  );
});

it("comes as one JSON document, and as CSV", async () => {
  const report = JSON.parse(await byom("spend", "--by", "key", "--json")) as SpendReport;
  expect(report).toMatchObject({
    rows: [{ key: "key-3", nanoUsd: "1234617898", usd: "1.234617898" }],
    total: { interruptedLegs: 1 },
  });
  const csv = await byom("spend", "--by", "metadata.team", "--csv", "--limit", "1");
  expect(csv.split("\r\n").map((line) => line.split(",").slice(0, 4))).toEqual([
    ["metadata.team", "usd", "nanoUsd", "legs"],
    ["search", "1.234617891", "1234617891", "2"],
  ]);
});

it("interrupted legs are listed, and settled by a file once", async () => {
  expect(await byom("spend", "--legs", "--where", "state=interrupted")).toMatch(
    /\n2026-11-21T09:00:00Z {2}lost\.0 {2}acme\/chat {2}acme {6}interrupted {2}unknown {2}0\+0$/,
  );
  const file = join(createTemporaryFolder(), "list.jsonl");
  writeFileSync(file, '{"leg":"lost.0","nano_usd":93}\n\n{"leg":"a.0","nano_usd":5}\n');
  expect(await byom("spend", "settle", file)).toBe("1 settled\n1 are no interrupted legs: a.0");
  expect(await byom("spend", "settle", file)).toContain("1 had been settled before");
  expect(
    await byom("spend", "--by", "metadata.team", "--exact", "--where", "metadata.team=ads"),
  ).toBe(
    [
      "metadata.team         spent  legs",
      "ads            $0.000000100     2",
      "total          $0.000000100     2",
    ].join("\n"),
  );
  // The journal that was killed is taken in, and does not stay.
  expect(readdirSync(join(folder, "ledger")).filter((name) => name.endsWith(".log")).length).toBe(
    1,
  );
});

it("a list that is no list says which line", async () => {
  const file = join(createTemporaryFolder(), "list.jsonl");
  writeFileSync(file, '{"leg":"lost.0","nano_usd":93}\nnot json\n');
  await expect(byom("spend", "settle", file)).rejects.toMatchObject({
    code: "list_invalid",
    message: `${file}:2 is not JSON`,
  });
  await expect(byom("spend", "settle", "/no/such/file")).rejects.toMatchObject({
    code: "list_unreadable",
    hint: expect.stringContaining('{"leg"'),
  });
  writeFileSync(file, '{"nano_usd":93}\n');
  await expect(byom("spend", "settle", file)).rejects.toMatchObject({ code: "invalid_request" });
});

describe("a command line that cannot be meant", () => {
  it.each([
    [["--csv", "--legs"], /exclude each other/],
    [["--last", "7d", "--from", "2026-11-01"], /exclude each other/],
    [["--last", "week"], /--last week/],
    [["--where", "team"], /expected DIMENSION=VALUE/],
    [["--legs", "--by", "model"], /--by says nothing/],
    [["--before", "3"], /--before is for --legs/],
  ])("byom spend %j", async (flags, message) => {
    await expect(byom("spend", ...flags)).rejects.toThrow(message);
    await expect(byom("spend", ...flags)).rejects.toHaveProperty("code", "usage");
  });

  it("a dimension that spend does not have is refused with those that it has", async () => {
    await expect(byom("spend", "--by", "colour")).rejects.toMatchObject({
      code: "invalid_request",
      hint: expect.stringContaining("metadata.NAME"),
    });
  });
});

it("dollars are rounded once, half up, and never to nothing", () => {
  expect(
    ["0", "1", "49999", "50000", "149999", "150000", "12345678901234567890"].map((nano) =>
      formatDollars(nano),
    ),
  ).toEqual([
    "$0.0000",
    "<$0.0001",
    "<$0.0001",
    "$0.0001",
    "$0.0001",
    "$0.0002",
    "$12345678901.2346",
  ]);
});

it("keys are shown by their names where these are known", () => {
  const sums = { legs: 1, nanoUsd: "0", callersNanoUsd: "0", inputTokens: 3 };
  const report = {
    by: ["key"],
    rows: [
      { key: "key-3", ...sums },
      { key: null, ...sums },
    ],
    total: sums,
    groups: 5,
    openLegs: 2,
  } as unknown as SpendReport;
  const text = renderSpend(report, {
    isExact: false,
    nameOf: (key) => (key === "key-3" ? "app" : undefined),
  });
  expect(text).toContain("app (key-3)");
  expect(text).toContain("(none)");
  expect(text).toContain("2 of 5 are shown; --limit N shows more");
  expect(text).toContain("2 legs still run");
});
