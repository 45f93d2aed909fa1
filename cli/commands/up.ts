import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import type { Command, Flags, Invocation } from "../command.ts";
import type { Context } from "../context.ts";
import { saveAccess } from "../credentials.ts";
import { CommandError, UsageError } from "../errors.ts";
import { createPlatformLog } from "../report/platform-log.ts";
import type { Platform } from "../up.ts";

const portDefault = 8800;
/** Predictions that are under way when the platform is asked to stop get this long to end. */
const drainTimeoutMs = 20_000;
/** Adopting a host full of instances takes seconds. */
const detachedStartTimeoutMs = 60_000;

export const up: Command = {
  usage:
    "[--detach] [--port N] [--host ADDRESS] [--allow-host HOST]… [--providers FILE] [--otlp URL] [--keep-instances]",
  options: {
    detach: { type: "boolean", short: "d", help: "return when it is ready and leave it running" },
    port: {
      type: "string",
      short: "p",
      value: "N",
      help: `default ${portDefault}; 0: any free one`,
    },
    host: { type: "string", value: "ADDRESS", help: "address to listen on (default 127.0.0.1)" },
    "allow-host": {
      type: "string",
      value: "HOST",
      multiple: true,
      help: "private host, address or network (10.0.0.0/8) that callers' URLs may name; repeatable",
    },
    providers: {
      type: "string",
      value: "FILE",
      help: "third-party providers (default: providers.yaml in the data directory)",
    },
    otlp: {
      type: "string",
      value: "URL",
      help: "OpenTelemetry collector for spans and metrics (default: OTEL_EXPORTER_OTLP_ENDPOINT)",
    },
    "keep-instances": {
      type: "boolean",
      help: "leave instances running at the end, for the next start",
    },
  },
  async run(invocation) {
    return invocation.flags.has("detach") ? runDetached(invocation) : runForeground(invocation);
  },
};

async function runForeground({ flags, context }: Invocation): Promise<void> {
  const { output } = context;
  // With --detach only the child needs the rooms.
  const { startPlatform } = await import("../up.ts");
  const platform = await startPlatform({
    directories: context.directories,
    environment: context.environment,
    homeDirectory: context.homeDirectory,
    isRoot: context.isRoot,
    host: flags.text("host") ?? "127.0.0.1",
    port: readPort(flags.text("port")),
    allowedHosts: await readAllowedHosts(flags.texts("allow-host")),
    ...providersFile(flags, context),
    ...otlpEndpoint(flags),
    signal: context.signal,
    onEvent: createPlatformLog(output),
  });
  await announce(context, platform);
  await aborted(context.signal);
  output.note("stopping: predictions under way may finish; once more Ctrl-C ends at once");
  await platform.close({
    keepInstances: flags.has("keep-instances"),
    signal: AbortSignal.timeout(drainTimeoutMs),
  });
}

/** The key is shown once; commands on this machine find it in the credentials file. */
async function announce(context: Context, platform: Platform): Promise<void> {
  const { output } = context;
  const { url, firstKey, snapshots, adopted } = platform;
  if (firstKey !== undefined) {
    const path = await saveAccess(context, { url, apiKey: firstKey });
    output.note(`admin key, shown once and kept in ${path}:\n\n    ${firstKey}\n`);
  } else {
    await updateUrl(context, url);
  }
  if (adopted > 0) output.note(`adopted ${adopted} running instances`);
  if (!snapshots.isAvailable)
    output.warn(`no snapshots: ${snapshots.reason}; cold and paused starts work`);
  output.answer(`ready at ${url}`, { url, adopted, snapshots });
}

/** The port may be another one than at the first start; the key stays. */
async function updateUrl(context: Context, url: string): Promise<void> {
  const saved = await readFile(join(context.directories.config, "credentials.json"), "utf8").catch(
    () => undefined,
  );
  if (saved === undefined) return;
  const { apiKey } = JSON.parse(saved) as { apiKey: string };
  await saveAccess(context, { url, apiKey });
}

async function runDetached({ flags, context }: Invocation): Promise<void> {
  const directory = join(context.directories.data, "log");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "platform.log");
  const log = openSync(path, "a", 0o600);
  const args = ["up", "--port", String(readPort(flags.text("port")))];
  if (flags.has("keep-instances")) args.push("--keep-instances");
  const host = flags.text("host");
  if (host !== undefined) args.push("--host", host);
  for (const allowed of flags.texts("allow-host")) args.push("--allow-host", allowed);
  const { providersFile: providers } = providersFile(flags, context);
  if (providers !== undefined) args.push("--providers", providers);
  const otlp = flags.text("otlp");
  if (otlp !== undefined) args.push("--otlp", otlp);
  const startedAt = Date.now();
  const child = spawn(process.execPath, [process.argv[1] ?? "", ...args, "--json"], {
    detached: true,
    stdio: ["ignore", "pipe", log],
    env: process.env,
  });
  closeSync(log);
  try {
    const { stdout } = child;
    if (stdout === null) throw new Error("its output cannot be read");
    const ready = await firstDocument(stdout, child, context.signal);
    stdout.destroy();
    child.unref();
    await waitUntilHealthy(ready.url, context.signal, startedAt);
    context.output.answer(`ready at ${ready.url} (log: ${path}; stop it with \`byom down\`)`, {
      ...ready,
      pid: child.pid,
      log: path,
    });
  } catch (error) {
    child.kill("SIGTERM");
    context.signal.throwIfAborted();
    throw describeDetachedFailure(error, path);
  }
}

/** Reads the JSON document that the detached platform prints when it is ready, or its error. */
async function firstDocument(
  stdout: NodeJS.ReadableStream,
  child: { once(event: "exit", listener: (code: number | null) => void): unknown },
  signal: AbortSignal,
): Promise<{ url: string }> {
  return await new Promise((resolve, reject) => {
    let text = "";
    stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (!text.endsWith("}\n")) return;
      const document = JSON.parse(text) as {
        url?: string;
        error?: { code: string; message: string; hint?: string };
      };
      if (document.url !== undefined) resolve({ ...document, url: document.url });
      else reject(new CommandError(document.error ?? { code: "start_failed", message: text }));
    });
    child.once("exit", (code) => reject(new Error(`it ended with exit code ${code}`)));
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

async function waitUntilHealthy(
  url: string,
  signal: AbortSignal,
  startedAt: number,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const status = await request(`${url}/healthz`, { signal }).then(
      async (response) => {
        await response.body.dump();
        return response.statusCode;
      },
      () => undefined,
    );
    if (status === 200) return;
    if (Date.now() - startedAt > detachedStartTimeoutMs)
      throw new Error(`${url}/healthz does not answer`);
    await delay(20);
  }
}

function describeDetachedFailure(error: unknown, path: string): unknown {
  if (error instanceof CommandError) return error;
  return new CommandError({
    code: "start_failed",
    message: `the platform did not start: ${(error as Error).message}`,
    hint: `its log is ${path}`,
    cause: error,
  });
}

async function readAllowedHosts(hosts: readonly string[]): Promise<readonly string[]> {
  const { parseAllowList } = await import("../../gateway/index.ts");
  try {
    parseAllowList(hosts);
  } catch (error) {
    throw new UsageError(`--allow-host ${(error as Error).message}`, "--allow-host 10.0.0.0/8");
  }
  return hosts;
}

/** Absolute: a detached platform may run elsewhere. */
function providersFile(flags: Flags, { directory }: Context): { readonly providersFile?: string } {
  const file = flags.text("providers");
  return file === undefined ? {} : { providersFile: resolve(directory, file) };
}

function otlpEndpoint(flags: Flags): { readonly otlpEndpoint?: string } {
  const url = flags.text("otlp");
  return url === undefined ? {} : { otlpEndpoint: url };
}

function readPort(text: string | undefined): number {
  if (text === undefined) return portDefault;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new UsageError(
    `--port ${text}: expected a number from 0 to 65535`,
    `--port ${portDefault}`,
  );
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
