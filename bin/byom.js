#!/usr/bin/env node
// In a clone the sources run as they are; in the published package tsc's output does.
// A host's own Node may be too old for either: then the package's pinned Node takes over.
import { existsSync } from "node:fs";
import { spawnSync } from "node:child_process";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

const root = new URL("..", import.meta.url);
const sources = new URL("cli/main.ts", root);
const entry = existsSync(sources) ? sources : new URL("dist/cli/main.js", root);
const [major, minor] = process.versions.node.split(".").map(Number);
const isSupported = major > 22 || (major === 22 && minor >= 19);

if (isSupported) {
  // Compiled code is kept between runs (and with sources, the stripped types too): a third off every start.
  nodeModule.enableCompileCache?.();
  await import(entry.href);
} else {
  const pinned = fileURLToPath(new URL("node_modules/node/bin/node", root));
  if (!existsSync(pinned)) {
    process.stderr.write(
      `byom needs Node 22.19 or newer, this is ${process.version}.\n` +
        "Install a newer Node, or run `npm ci` in the clone: it brings the right one along.\n",
    );
    process.exit(1);
  }
  // The child is in the same process group, so a Ctrl-C reaches it; this process only waits for it.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
  const child = spawnSync(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  process.exit(child.status ?? 1);
}
