// Whoever types a command line gets the command they meant, or an error that names what is wrong with it.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../cli/command.ts";
import { commands } from "../../../cli/commands/index.ts";
import { UsageError } from "../../../cli/errors.ts";
import { findCommand, parseCommandLine, parseInputs } from "../../../cli/parse.ts";

const command: Command = {
  usage: "FROM [TO] [--tag NAME]",
  positionals: { min: 1, max: 2 },
  options: {
    tag: { type: "string", short: "t", help: "" },
    input: { type: "string", short: "i", multiple: true, help: "" },
  },
  run: async () => {},
};

describe("findCommand", () => {
  it.each([
    ["build -t name", "build", ["-t", "name"]],
    ["predict -i a=b", "run", ["-i", "a=b"]],
    ["host setup --dry-run", "host setup", ["--dry-run"]],
    ["keys", "keys list", []],
    ["keys create me", "keys create", ["me"]],
    ["keys rm list", "keys revoke", ["list"]],
    ["-C some/folder plan", "plan", ["-C", "some/folder"]],
    ["--json --directory some/folder plan", "plan", ["--json", "--directory", "some/folder"]],
    ["models --json", "models list", ["--json"]],
  ])("byom %s is %s", (line, name, rest) => {
    const found = findCommand(commands, line.split(" "));
    expect(found?.entry.name).toBe(name);
    expect(found?.rest).toEqual(rest);
  });

  it("takes a folder that is named like the command for a folder", () => {
    expect(findCommand(commands, ["-C", "build", "build"])).toMatchObject({
      entry: { name: "build" },
      rest: ["-C", "build"],
    });
  });

  it.each([["biuld"], ["host"], ["host reset"], ["--json"], ["-- build"], ["-C build"]])(
    "byom %s names no command",
    (line) => {
      expect(findCommand(commands, line.split(" "))).toBeUndefined();
    },
  );
});

describe("parseCommandLine", () => {
  it("gives flags by their long name, repeated ones in order, and the positional arguments", () => {
    const { flags, positionals } = parseCommandLine("move", command, [
      "a",
      "-i",
      "x=1",
      "--input=x=2",
      "-t",
      "name",
      "--json",
      "b",
    ]);
    expect(positionals).toEqual(["a", "b"]);
    expect(flags.texts("input")).toEqual(["x=1", "x=2"]);
    expect(flags.text("tag")).toBe("name");
    expect(flags.has("json")).toBe(true);
    expect(flags.has("verbose")).toBe(false);
    expect(flags.text("directory")).toBeUndefined();
  });

  it("leaves what follows -- alone", () => {
    expect(parseCommandLine("move", command, ["--", "--tag"]).positionals).toEqual(["--tag"]);
  });

  it.each([
    [["a", "--tog", "x"], "--tog"],
    [["a", "--tag"], "--tag"],
    [["a", "--json=yes"], "--json"],
    [[], "an argument is missing"],
    [["a", "b", "c"], 'unexpected argument "c"'],
  ])("refuses %j and names %s", (argv, named) => {
    const parse = () => parseCommandLine("move", command, argv);
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(named);
  });

  it("shows the help of a command whose arguments are missing", () => {
    expect(parseCommandLine("move", command, ["--help"]).flags.has("help")).toBe(true);
  });
});

describe("parseInputs", () => {
  it("keeps every = after the first, empty values, and repeated names as a list in order", () => {
    const inputs = parseInputs(["text=a=b", "empty=", "tag=2", "tag=1"]);
    expect([...inputs]).toEqual([
      ["text", ["a=b"]],
      ["empty", [""]],
      ["tag", ["2", "1"]],
    ]);
  });

  it.each(["prompt", "=hello", ""])("refuses %j", (pair) => {
    expect(() => parseInputs([pair])).toThrow("expected NAME=VALUE");
  });
});
