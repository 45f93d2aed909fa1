import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { access, constants } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { connectEngine } from "../builder/index.ts";
import { createConsole, type Console } from "../console/index.ts";
import {
  adminPaths,
  createGateway,
  openAdministration,
  type Gateway,
  type GatewayEvent,
  type GatewayOptions,
} from "../gateway/index.ts";
import { hostPaths, loadHostSettings, type Directories } from "../host/index.ts";
import {
  createAdminApi,
  createDockerEngine,
  createKeys,
  createRuntime,
  createSnapshotter,
  openGpuCheckpointer,
  openSnapshotTravel,
  openStore,
  type AdminApi,
  type Engine,
  type Runtime,
  type RuntimeEvent,
  type Snapshotter,
} from "../runtime/index.ts";
import {
  createRegistryClient,
  loadCredentials,
  proxyFromEnvironment,
} from "../registry-client/index.ts";
import { createCatalog } from "./catalog.ts";
import { createDeployments } from "./deployments.ts";
import { CommandError } from "./errors.ts";
import { modelState } from "./model-state.ts";
import { readOtlpSettings } from "./otlp.ts";
import { loadProvidersFile } from "./providers-file.ts";

/** The composition root of the platform: runtime and gateway behind one port, in one process. */
export interface Platform {
  /** Base URL, such as `http://127.0.0.1:8800`. */
  readonly url: string;
  /** The admin key's secret, on the first start only. */
  readonly firstKey: string | undefined;
  readonly adopted: number;
  readonly snapshots: Snapshotter["capability"];
  readonly runtime: Runtime;
  /** Lets what is in flight finish, until the signal aborts; then instances stop, or stay for the next start. */
  close(options: { keepInstances: boolean; signal: AbortSignal }): Promise<void>;
}

export interface PlatformOptions {
  readonly directories: Directories;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly isRoot: boolean;
  /** Address to listen on; loopback unless the operator says otherwise. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Private hosts, addresses and networks to which callers' URLs (webhooks) may lead; default: none. */
  readonly allowedHosts?: readonly string[];
  /** Configuration of third-party providers; default: `providers.yaml` in the data directory. */
  readonly providersFile?: string;
  /** Base URL of an OpenTelemetry collector; default: as the `OTEL_…` variables say. */
  readonly otlpEndpoint?: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RuntimeEvent | GatewayEvent) => void;
}

/** Opens the store, adopts what still runs, and listens. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { directories, signal, onEvent } = options;
  await using cleanup = new AsyncDisposableStack();
  const store = openStore({ dataDirectory: platformDirectory(directories) });
  cleanup.defer(() => store.close());
  const engine = await createEngine(options);
  const gpu = await openGpuCheckpointer({ signal });
  cleanup.use(gpu);
  const snapshotter = await openSnapshotter(options, engine, gpu);
  const keys = createKeys(store);
  cleanup.defer(() => keys.close());
  const travel = await openTravel(options);
  const runtime = createRuntime({ engine, snapshotter, store, travel, onEvent });
  const administration = await openCatalog(options, runtime);
  cleanup.defer(() => administration.close());
  const gateway = createGateway({
    upstream: {
      acquire: (modelId, acquireOptions) => runtime.acquire(modelId, acquireOptions),
      state: (modelId) => modelState(runtime, modelId),
    },
    catalog: administration.catalog,
    providers: administration.providers,
    administration,
    keys,
    predictions: store.predictions,
    deployments: createDeployments(runtime),
    allowedHosts: options.allowedHosts ?? [],
    dataDirectory: join(directories.data, "gateway"),
    ...telemetryOptions(options),
    onEvent,
  });
  const api = createAdminApi({ runtime, keys, otherPaths: adminPaths() });
  const server = createServer();
  const { adopted } = await runtime.start({ signal });
  cleanup.defer(() => runtime.stop({ keepInstances: true }));
  const serveConsole = createConsole();
  server.on(
    "request",
    (request, response) => void route({ request, response, serveConsole, api, gateway }),
  );
  await gateway.ready({ signal });
  const url = await listen(server, options);
  gateway.recover();
  const firstKey = keys.ensureAdminKey()?.secret;
  const resources = cleanup.move();
  return {
    url,
    firstKey,
    adopted,
    snapshots: snapshotter.capability,
    runtime,
    close: async ({ keepInstances, signal: deadline }) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await gateway.close({ signal: deadline });
      server.closeAllConnections();
      await closed;
      if (!keepInstances) await runtime.down({ signal: AbortSignal.timeout(removalTimeoutMs) });
      await resources.disposeAsync();
    },
  };
}

/** Force-removing a handful of containers takes seconds; a hung engine must not hold the platform for ever. */
const removalTimeoutMs = 60_000;

/** Own models and third parties', with the providers of the operator's file and those added since. */
async function openCatalog(
  options: PlatformOptions,
  runtime: Runtime,
): Promise<ReturnType<typeof openAdministration>> {
  const { directories, environment, providersFile, signal } = options;
  const file = await loadProvidersFile({
    dataDirectory: directories.data,
    signal,
    ...(providersFile !== undefined && { file: providersFile }),
  });
  return openAdministration({
    dataDirectory: join(directories.data, "gateway"),
    own: createCatalog(runtime),
    environment,
    ...(file !== undefined && { file }),
  });
}

/** Where spans go, and what opens `/metrics`. */
function telemetryOptions({
  environment,
  otlpEndpoint,
}: PlatformOptions): Pick<GatewayOptions, "otlp" | "metricsToken"> {
  const otlp = readOtlpSettings({ environment, endpoint: otlpEndpoint });
  const metricsToken = environment["BYOM_METRICS_TOKEN"];
  return {
    ...(otlp !== undefined && { otlp }),
    ...(metricsToken !== undefined && metricsToken !== "" && { metricsToken }),
  };
}

/** Where the platform's database lies. */
export function platformDirectory(directories: Directories): string {
  return join(directories.data, "platform");
}

/** The container engine as the runtime uses it. */
export async function createEngine(
  options: Pick<PlatformOptions, "environment" | "homeDirectory" | "signal">,
): Promise<Engine> {
  const { environment, homeDirectory, signal } = options;
  const found = await connectEngine({ environment, signal });
  return createDockerEngine({
    docker: found.docker,
    isUnixSocket: found.endpoint.address.startsWith("unix:"),
    credentials: async (registry) => {
      const credentials = await loadCredentials({ registry, environment, homeDirectory, signal });
      if (credentials?.kind !== "basic") return undefined;
      return {
        username: credentials.username,
        password: credentials.password.reveal(),
        serveraddress: registry,
      };
    },
  });
}

async function openSnapshotter(
  options: PlatformOptions,
  engine: Engine,
  gpu: Awaited<ReturnType<typeof openGpuCheckpointer>>,
): Promise<Snapshotter> {
  const { directories, environment, isRoot, signal } = options;
  const settings = await loadHostSettings(directories, { signal });
  const criu = settings.criu?.path ?? hostPaths(directories).criu;
  return await createSnapshotter({
    engine: await engine.info({ signal }),
    directory: join(directories.data, "snapshots"),
    runc: (await findProgram("runc", environment)) ?? "/usr/bin/runc",
    criuDirectory: dirname(criu),
    ...(settings.hugePages !== undefined && { hugePages: settings.hugePages }),
    gpu,
    isRoot,
    signal,
  });
}

/** Snapshots go to and come from registries as images do. */
async function openTravel(options: PlatformOptions): ReturnType<typeof openSnapshotTravel> {
  const { directories, environment, homeDirectory } = options;
  return await openSnapshotTravel({
    directory: join(directories.data, "snapshots"),
    keysDirectory: join(directories.data, "snapshot-keys"),
    client: async (registry, { signal }) => {
      const credentials = await loadCredentials({ registry, environment, homeDirectory, signal });
      return createRegistryClient({
        registry,
        proxy: proxyFromEnvironment(environment),
        ...(credentials !== undefined && { credentials }),
      });
    },
  });
}

async function findProgram(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  for (const directory of (environment["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    if (
      directory !== "" &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  return undefined;
}

async function route(options: {
  request: IncomingMessage;
  response: ServerResponse;
  serveConsole: Console;
  api: AdminApi;
  gateway: Gateway;
}): Promise<void> {
  const { request, response, serveConsole, api, gateway } = options;
  const path = request.url?.split("?", 1)[0] ?? "/";
  if (serveConsole(request, response, path)) return;
  // The gateway has a part of /api/v1; the admin API answers for whatever is left of it.
  if (await gateway.handle(request, response)) return;
  if (await api(request, response, path)) return;
  response.writeHead(404, { "content-type": "application/json" });
  response.end(
    JSON.stringify({
      error: {
        code: "not_found",
        message: `there is nothing at ${request.method} ${path}`,
        hint: "the page of the models is /models, their APIs are at /v1, /client/v4/accounts/local/ai and /models/OWNER/NAME; the admin API at /api/v1/openapi.json",
      },
    }),
  );
}

async function listen(server: Server, options: PlatformOptions): Promise<string> {
  // A prediction may take minutes before its first byte; the gateway has deadlines of its own.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(describeListenFailure(error, options)));
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host === "0.0.0.0" || options.host === "::" ? "127.0.0.1" : options.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function describeListenFailure(error: Error, { host, port }: PlatformOptions): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "EADDRINUSE" && code !== "EACCES" && code !== "EADDRNOTAVAIL") return error;
  const reason = {
    EADDRINUSE: "another process listens there",
    EACCES: "ports below 1024 are root's",
    EADDRNOTAVAIL: "this machine does not have that address",
  }[code];
  return new CommandError({
    code: "listen_failed",
    message: `cannot listen on ${host}:${port}: ${reason}`,
    hint: "choose another one: byom up --port 8801",
    cause: error,
  });
}
