// Every command waits for what cli/main.ts imports before it does anything. A room or a package up there costs a
// command that does not need it up to half a second; main.ts and the table of commands load them when they are called.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const main = new URL("../../../cli/main.ts", import.meta.url);

/** Everything that is loaded before the first line of main.ts runs. */
function staticImportsOf(file: URL, found: Set<string> = new Set()): Set<string> {
  if (found.has(file.href)) return found;
  found.add(file.href);
  const text = readFileSync(fileURLToPath(file), "utf8");
  for (const match of text.matchAll(
    /^(?:import|export)\s(?!type\b)[^"';()]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"/gm,
  )) {
    const specifier = match[1] ?? match[2] ?? "";
    if (specifier.startsWith(".")) staticImportsOf(new URL(specifier, file), found);
    else if (!specifier.startsWith("node:")) found.add(specifier);
  }
  return found;
}

it("loads nothing but the command line's own few files", () => {
  const found = [...staticImportsOf(main)];
  const folder = new URL(".", main).href;
  expect(found).toContain(new URL("commands/index.ts", main).href);
  expect(found.filter((one) => !one.startsWith(folder))).toEqual([]);
  expect(found.filter((one) => /\/commands\/(?!index\.ts)/.test(one))).toEqual([]);
});
