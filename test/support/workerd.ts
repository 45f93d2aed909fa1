import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

/** The package's main module is the path of its program; it has no types. */
const require = createRequire(import.meta.url);
const { default: workerd } = require("workerd") as { readonly default: string };

/** A Worker that runs in this machine's workerd, with `env.AI` led to a gateway. */
export interface LocalWorker extends AsyncDisposable {
  readonly url: string;
}

export interface LocalWorkerOptions {
  /** The Worker's module. */
  readonly source: string;
  /** `host:port` of the gateway. */
  readonly gatewayAddress: string;
  readonly apiKey: string;
}

/**
 * Starts workerd with its own AI binding (`cloudflare-internal:ai-api`), whose inner fetcher is the gateway as an
 * external service. The key is a header that workerd adds to each request: the Worker never sees it.
 */
export async function startLocalWorker(options: LocalWorkerOptions): Promise<LocalWorker> {
  const folder = await mkdtemp(join(tmpdir(), "byom-workerd-"));
  await writeFile(join(folder, "worker.mjs"), options.source);
  await writeFile(join(folder, "config.capnp"), renderConfig(options));
  const child = spawn(workerd, ["serve", join(folder, "config.capnp"), "--control-fd=3"], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  const errors: string[] = [];
  child.stderr?.on("data", (data: Buffer) => errors.push(data.toString()));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const control = child.stdio[3];
  if (control === null || control === undefined) throw new Error("workerd has no control pipe");
  const port = await Promise.race([
    listeningPort(control as NodeJS.ReadableStream),
    exited.then(() => undefined),
  ]);
  if (port === undefined) {
    await stop();
    throw new Error(`workerd did not start:\n${errors.join("")}`);
  }
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop };
}

/** workerd tells on its control pipe, one JSON document a line, which ports it was given. */
async function listeningPort(control: NodeJS.ReadableStream): Promise<number | undefined> {
  for await (const line of createInterface({ input: control })) {
    const message = JSON.parse(line) as { readonly event: string; readonly port?: number };
    if (message.event === "listen") return message.port;
  }
  return undefined;
}

function renderConfig({ gatewayAddress, apiKey }: LocalWorkerOptions): string {
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker", esModule = embed "worker.mjs")],
      compatibilityDate = "2026-10-01",
      bindings = [(name = "AI", wrapped = (
        moduleName = "cloudflare-internal:ai-api",
        innerBindings = [(name = "fetcher", service = "byom")]
      ))]
    )),
    (name = "byom", external = (address = "${gatewayAddress}", http = (
      injectRequestHeaders = [(name = "Authorization", value = "Bearer ${apiKey}")]
    )))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
`;
}
