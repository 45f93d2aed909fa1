// Drives host set-up without the CLI, for tries on a bare machine:
//   node test/integration/host/drive.ts setup|dry-run|check|teardown|purge|base-image [X.Y]
import { performance } from "node:perf_hooks";
import { hostErrorText, runHostVerb } from "./verbs.ts";

const controller = new AbortController();
process.once("SIGINT", () => controller.abort(new Error("interrupted")));
const startedAt = performance.now();
try {
  const [verb = "setup", version] = process.argv.slice(2);
  await runHostVerb({ verb, version, environment: process.env, signal: controller.signal });
} catch (error) {
  console.error(hostErrorText(error));
  process.exitCode = 1;
}
console.log(`took ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
