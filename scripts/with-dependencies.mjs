// Runs one of the project's scripts in a fresh clone: installs the npm dependencies when they are missing or
// out of date, then starts the script with the pinned Node. Plain JavaScript, because the host's Node runs it.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [script, ...args] = process.argv.slice(2);
const lockDigest = createHash("sha256")
  .update(readFileSync(`${root}package-lock.json`))
  .digest("hex");
const stampFile = `${root}node_modules/.byom-lock-digest`;
const pinnedNode = `${root}node_modules/node/bin/node`;

if (!isInstalled()) {
  const startedAt = Date.now();
  process.stderr.write("Installing npm dependencies and Node 24 into node_modules (npm ci) …\n");
  const result = spawnSync("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    // The outer npm's lifecycle variables would confuse the inner one.
    env: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")),
    ),
  });
  if (result.status !== 0) {
    process.stderr.write(
      "npm ci failed, see above. Check the network and that the npm registry answers: npm ping\n",
    );
    process.exit(result.status ?? 1);
  }
  mkdirSync(`${root}node_modules`, { recursive: true });
  writeFileSync(stampFile, lockDigest);
  process.stderr.write(`Installed in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.\n`);
}

const child = spawn(pinnedNode, [`${root}${script}`, ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 130));

function isInstalled() {
  return (
    existsSync(pinnedNode) &&
    existsSync(stampFile) &&
    readFileSync(stampFile, "utf8") === lockDigest
  );
}
