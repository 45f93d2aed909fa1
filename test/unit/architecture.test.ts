// The house of ARCHITECTURE.md: imports point one way, and a room is entered through its index.ts. Whoever breaks
// the rule couples rooms that must be usable, testable and replaceable apart.
import { globSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What each room may import, beside itself and packages. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "registry-client": [],
  builder: ["registry-client"],
  runtime: ["registry-client"],
  gateway: [],
  host: ["runtime"],
  client: [],
  console: [],
  cli: ["registry-client", "builder", "runtime", "gateway", "host", "console", "client"],
};

/** Packages that each room may use: a dependency is kept where its trade is. */
const packages: Readonly<Record<string, readonly string[]>> = {
  "registry-client": ["undici", "execa", "zod"],
  builder: ["dockerode", "tar-stream", "undici", "yaml", "zod", "execa", "web-tree-sitter"],
  runtime: ["dockerode", "tar-stream", "undici", "zod", "execa"],
  gateway: ["undici", "zod", "@huggingface/jinja"],
  host: ["dockerode", "execa", "undici", "zod"],
  client: ["undici"],
  console: [],
  cli: ["undici", "zod", "dockerode", "yaml", "diff"],
};

interface Import {
  readonly file: string;
  readonly specifier: string;
}

/** `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`; no statement of ours has `=` before `from`. */
const importPattern =
  /^(?:(?:import|export)\b[^"';=()]*\bfrom|import)\s*["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']\s*\)/gm;

function importsOf(room: string): readonly Import[] {
  return globSync(`${room}/**/*.ts`, { cwd: root }).flatMap((file) => {
    const text = readFileSync(resolve(root, file), "utf8");
    return [...text.matchAll(importPattern)].map((match) => ({
      file,
      specifier: match[1] ?? match[2] ?? "",
    }));
  });
}

describe.each(Object.keys(allowed))("%s", (room) => {
  const imports = importsOf(room);

  it("imports only the rooms that the house allows, through their index.ts", () => {
    const wrong = imports.filter(({ file, specifier }) => {
      if (!specifier.startsWith(".")) return false;
      const target = relative(root, resolve(root, dirname(file), specifier));
      const [targetRoom = ""] = target.split("/");
      if (targetRoom === room || targetRoom === "package.json") return false;
      return !(allowed[room] ?? []).includes(targetRoom) || target !== `${targetRoom}/index.ts`;
    });
    expect(wrong).toEqual([]);
  });

  it("uses only the packages of its trade", () => {
    const wrong = imports.filter(({ specifier }) => {
      if (specifier.startsWith(".") || specifier.startsWith("node:")) return false;
      const name = specifier.startsWith("@")
        ? specifier.split("/").slice(0, 2).join("/")
        : specifier.split("/")[0];
      return !(packages[room] ?? []).includes(name ?? "");
    });
    expect(wrong).toEqual([]);
  });

  it("does not read the process outside the command line", () => {
    if (room === "cli") return;
    const readers = globSync(`${room}/**/*.ts`, { cwd: root }).filter((file) =>
      /\bprocess\.(env|argv|cwd|exit|stdout|stderr)\b/.test(
        readFileSync(resolve(root, file), "utf8"),
      ),
    );
    expect(readers).toEqual([]);
  });
});

it("has rooms to look at: a moved folder must not make the rule empty", () => {
  for (const room of ["registry-client", "builder", "runtime", "gateway", "host", "cli"]) {
    expect(importsOf(room).length, room).toBeGreaterThan(0);
  }
});
