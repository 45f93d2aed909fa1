// The help is how a person finds a command: it lists every one, and each says how it is used.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commands } from "../../../cli/commands/index.ts";
import { globalOptions, renderCommandHelp, renderHelp } from "../../../cli/help.ts";

/** Longest name and two columns of blanks leave this much of a wide terminal. */
const summaryLengthMax = 100;

it("byom --help is what was agreed on", () => {
  const golden = readFileSync(new URL("golden/help.txt", import.meta.url), "utf8");
  expect(renderHelp(commands)).toBe(golden);
});

it("no two commands answer to the same name", () => {
  const names = commands.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(commands.map((entry) => [entry.name, entry] as const))("%s", (name, entry) => {
  it("loads, with a summary in one line and a help that names all its flags", async () => {
    const command = await entry.load();
    expect(entry.summary).toMatch(/^\S.*[^.\s]$/);
    expect(entry.summary.length).toBeLessThanOrEqual(summaryLengthMax);
    const help = renderCommandHelp(entry, command);
    expect(help).toContain(`Usage: byom ${`${name} ${command.usage}`.trimEnd()}\n`);
    for (const [flag, { help: meaning }] of Object.entries({
      ...command.options,
      ...globalOptions,
    })) {
      expect(meaning, flag).not.toBe("");
      expect(help).toContain(`--${flag}`);
    }
  });

  it("says in its usage line that it takes arguments when it does", async () => {
    const { positionals, usage } = await entry.load();
    const isNamed = /^(\[?[A-Z]|VERSION)/.test(usage);
    expect(isNamed, usage).toBe((positionals?.max ?? 0) > 0);
  });

  it("takes no flag that means something else for every command", async () => {
    const { options = {} } = await entry.load();
    const shorts = Object.values(globalOptions).map(({ short }) => short);
    for (const [flag, { short }] of Object.entries(options)) {
      expect(globalOptions[flag], flag).toBeUndefined();
      if (short !== undefined) expect(shorts).not.toContain(short);
    }
  });
});
