// Routes and limits as an operator writes them at the command line, against a real gateway.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { commands } from "../../../../cli/commands/index.ts";
import type { Context } from "../../../../cli/context.ts";
import { findCommand, parseCommandLine } from "../../../../cli/parse.ts";
import {
  keys,
  removeDirectory,
  startPlatform,
  type Platform,
} from "../../gateway/admin/platform.ts";
import { captureOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

let platform: Platform;
let home: string;
beforeEach(async () => {
  platform = await startPlatform();
  home = createTemporaryFolder();
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(platform.directory);
});

async function byom(...argv: readonly string[]): Promise<string> {
  const found = findCommand(commands, argv);
  if (found === undefined) throw new Error(`no command: ${argv.join(" ")}`);
  const command = await found.entry.load();
  const { flags, positionals } = parseCommandLine(found.entry.name, command, found.rest);
  const captured = captureOutput({ isJson: flags.has("json") });
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

const line = (text: string): Promise<string> => byom(...text.split(" "));

function file(name: string, text: string): string {
  writeFileSync(join(home, name), text);
  return name;
}

const support = `description: For the help desk
models:
  - model: acme/ocr
    when: { metadata.kind: scan, metadata.pages: { $gt: 3 } }
  - model: acme/chat
    timeoutMs: 20000
    limits: { requests: 5, window: 1m }
`;

describe("byom routes", () => {
  it("sets a route from a file, under the file's name, and shows it again as it was written", async () => {
    expect(await byom("routes", "set", file("support.yaml", support))).toBe(
      "dynamic/support: version 1, acme/ocr → acme/chat",
    );
    expect(await byom("routes")).toBe(
      "dynamic/support  version 1  acme/ocr → acme/chat  For the help desk",
    );
    const shown = await byom("routes", "show", "support");
    expect(shown).toContain("# dynamic/support, version 1, since 2026-11-23T12:00:00.000Z\n");
    expect(shown).toContain("# models.1: acme/chat at byom, idle\n");
    await byom("routes", "set", file("again.yaml", shown), "--name", "support");
    expect(await byom("routes", "versions", "support")).toMatch(
      /^1 +2026-11-23T12:00:00.000Z +in use$/,
    );
  });

  it("tries a route, with what decided it, and sends nothing", async () => {
    await byom("routes", "set", file("support.yaml", support));
    const report = await line(
      "routes try support --metadata kind=scan --metadata pages=4 --bytes 900",
    );
    expect(report.split("\n")).toEqual([
      "dynamic/support, version 1, 900 bytes",
      "1.  acme/ocr   acme/ocr at byom   idle",
      "2.  acme/chat  acme/chat at byom  idle",
      'models.0.when    true     {"metadata.kind":"scan","metadata.pages":{"$gt":3}}',
      expect.stringMatching(
        /^models\.1\.limits {2}success {2}\{"limit":"route:support\/models\.1"/,
      ),
    ]);
    const other = JSON.parse(await byom("routes", "try", "support", "--json"));
    expect(other.legs).toHaveLength(1);
    expect(platform.upstream.acquired).toEqual([]);
  });

  it("rolls back to the version before, or to one by its number, and removes", async () => {
    await byom("routes", "set", file("a.yaml", "models: [acme/chat]"));
    await byom("routes", "set", file("a.json", '{"models": ["acme/ocr"]}'));
    expect(await byom("routes", "rollback", "a")).toBe("dynamic/a: version 1 is in use");
    expect(await byom("routes", "rollback", "a", "--to", "2")).toBe(
      "dynamic/a: version 2 is in use",
    );
    await expect(byom("routes", "rollback", "a", "--to", "9")).rejects.toMatchObject({
      message: expect.stringContaining("no version 9"),
      hint: expect.stringContaining("byom routes versions a"),
    });
    expect(await byom("routes", "rm", "a")).toBe("a: removed with its versions");
    await expect(byom("routes", "show", "a")).rejects.toMatchObject({ code: "not_found" });
  });

  it("says how a model is called by default", async () => {
    const path = file("chat.yaml", "attempts: 1\nonColdStart: failover\nmodels: [acme/chat]");
    expect(await byom("routes", "set", path, "--name", "models/acme/chat")).toBe(
      "acme/chat: version 1, acme/chat",
    );
  });

  it.each([
    ["models: [acme/chat", /bad\.yaml:1: /],
    ["- acme/chat", /bad\.yaml holds no object/],
    ["models: [{ model: acme/chat, weight: -1 }]", /models\.0/],
    ["models: [acme/none]", /models\.0\.model: There is no model acme\/none/],
  ])("refuses a file that says %j with the place of the fault", async (text, message) => {
    await expect(byom("routes", "set", file("bad.yaml", text))).rejects.toThrow(message);
  });

  it("names a file that is not there", async () => {
    await expect(byom("routes", "set", "none.yaml")).rejects.toMatchObject({
      code: "file_missing",
    });
  });
});

describe("byom limits", () => {
  it("sets, lists, shows and removes a limit", async () => {
    expect(
      await line(
        "limits set app --requests 2 --tokens 5000 --window 1h --per metadata.team --model acme/* --metadata isTrial=true",
      ),
    ).toBe(
      'app, 2 requests, 5000 tokens in 1h, for each metadata.team, where {"models":["acme/*"],"metadata":{"isTrial":true}}',
    );
    await byom("limits", "set", "app", "--requests", "2", "--per", "metadata.team");
    await platform.chat("acme/chat", { headers: { "cf-aig-metadata": '{"team":"a"}' } });
    expect(await byom("limits", "list", "app")).toContain("metadata.team=a  1 of 2 requests left");
    expect(await byom("limits")).toContain("app  2 requests in 1m  for each metadata.team");
    expect(await byom("limits", "rm", "app")).toBe("app: no longer a limit");
    expect(await byom("limits")).toBe("");
  });

  it.each([
    [["limits", "set", "x"], /what is limited/],
    [["limits", "set", "x", "--requests", "0"], /--requests 0/],
    [["limits", "set", "x", "--requests", "5", "--metadata", "team"], /--metadata team/],
    [["limits", "set", "x", "--requests", "5", "--per", "team"], /per\.0: team is no field/],
    [["limits", "list", "none"], /There is no limit none/],
  ])("refuses %j", async (argv, message) => {
    await expect(byom(...argv)).rejects.toThrow(message);
  });
});
