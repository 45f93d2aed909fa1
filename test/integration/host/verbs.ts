import {
  checkHost,
  type Environment,
  HostError,
  type HostEvent,
  makeBaseImage,
  planHostSetup,
  resolveDirectories,
  setUpHost,
  tearDownHost,
} from "../../../host/index.ts";

/** One verb of `byom host`, printed plainly. */
export async function runHostVerb(request: {
  verb: string;
  version: string | undefined;
  environment: Environment;
  signal: AbortSignal;
}): Promise<void> {
  const { verb, environment, signal } = request;
  const directories = resolveDirectories(environment, process.getuid?.() === 0);
  const options = { directories, environment, signal, onEvent: printEvent };
  if (verb === "setup") console.log(JSON.stringify((await setUpHost(options)).settings, null, 2));
  else if (verb === "dry-run") console.log(JSON.stringify(await planHostSetup(options), null, 2));
  else if (verb === "base-image") {
    console.log(await makeBaseImage({ ...options, pythonVersion: request.version ?? "3.11" }));
  } else if (verb === "check") {
    const report = await checkHost(options);
    for (const item of report.items) {
      console.log(
        `${item.status.padEnd(8)}${item.name}: ${item.detail}${item.hint ? ` (${item.hint})` : ""}`,
      );
    }
    for (const mode of report.startModes) console.log(JSON.stringify(mode));
  } else if (verb === "teardown" || verb === "purge") {
    const isPurge = verb === "purge";
    const report = await tearDownHost({ ...options, purge: isPurge });
    for (const line of report.removed) console.log(line);
  } else throw new Error(`no verb ${verb}`);
}

export function hostErrorText(error: unknown): string {
  if (!(error instanceof HostError)) return String((error as Error).stack);
  return [error.message, error.output, error.hint].filter(Boolean).join("\n");
}

function printEvent(event: HostEvent): void {
  if (event.type === "step-start") {
    const { step, number, count } = event;
    console.log(`[${number}/${count}] ${step.what} (${step.why})\n  $ ${step.command}`);
  } else if (event.type === "step-output") console.log(`  | ${event.line}`);
  else if (event.type === "note") console.log(`note: ${event.note.message}: ${event.note.hint}`);
  else console.log(`  = ${event.result} in ${(event.elapsedMs / 1000).toFixed(1)} s`);
}
