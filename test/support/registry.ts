import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stringify } from "yaml";

/** Time within which CNCF Distribution answers after its start, in milliseconds; it takes tens of them. */
const startTimeoutMs = 20_000;

/** A real registry, CNCF Distribution, on a free loopback port with its storage in a temporary directory. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** A directory of its own for the test's files; removed with the registry. */
  readonly directory: string;
}

export interface TestRegistryOptions {
  /** Basic authorization for user `tester`, password `correct horse`. */
  readonly hasBasicAuth?: boolean;
  /** Files of a certificate for 127.0.0.1 and its key: the registry then speaks HTTPS. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  /** Token authorization: tokens of `issuer` for `service`, signed by the certificate's key. */
  readonly tokenAuth?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    /** PEM. */
    readonly certificate: string;
  };
}

export const basicAuthUser = { username: "tester", password: "correct horse" } as const;
/** bcrypt of that password; the registry takes no other kind. */
const htpasswdLine = "tester:$2a$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n";

/** The full path of a program on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

/** Why tests with a real registry cannot run here, or undefined when they can. Prints the reason. */
export function whyNoRegistry(): string | undefined {
  if (findProgram("docker-registry")) return undefined;
  const reason = "skipped: docker-registry is not on PATH (apt-get install docker-registry)";
  console.warn(reason);
  return reason;
}

/** Starts `docker-registry serve` and waits until it answers. */
export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const program = findProgram("docker-registry");
  if (!program) throw new Error("docker-registry is not on PATH (apt-get install docker-registry)");
  const directory = await mkdtemp(join(tmpdir(), "byom-test-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const configFile = join(directory, "config.yml");
  await writeFile(join(directory, "htpasswd"), htpasswdLine);
  await writeFile(join(directory, "token.crt"), options.tokenAuth?.certificate ?? "");
  await writeFile(configFile, stringify(renderConfig({ ...options, directory, host })));
  const child = spawn(program, ["serve", configFile], { stdio: ["ignore", "ignore", "pipe"] });
  const stop = async (): Promise<void> => {
    await stopProcess(child);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await waitUntilAnswering(child, host);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, directory, [Symbol.asyncDispose]: stop };
}

function renderConfig(
  options: TestRegistryOptions & { readonly directory: string; readonly host: string },
): unknown {
  const { directory, host, tokenAuth } = options;
  const auth = options.hasBasicAuth
    ? { htpasswd: { realm: "test", path: join(directory, "htpasswd") } }
    : tokenAuth && {
        token: {
          realm: tokenAuth.realm,
          service: tokenAuth.service,
          issuer: tokenAuth.issuer,
          rootcertbundle: join(directory, "token.crt"),
        },
      };
  return {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(directory, "storage") },
      delete: { enabled: true },
    },
    http: {
      addr: host,
      secret: "only for tests",
      ...(options.tls
        ? { tls: { certificate: options.tls.certificateFile, key: options.tls.keyFile } }
        : {}),
    },
    ...(auth ? { auth } : {}),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

async function waitUntilAnswering(child: ChildProcess, host: string): Promise<void> {
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-4000);
  });
  const [hostname, port] = host.split(":");
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`docker-registry exited: ${log}`);
    // That it listens is enough: it does so when its storage and its authorization are ready.
    const socket = connect(Number(port), hostname);
    const isUp = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isUp) return;
    if (Date.now() > deadline) throw new Error(`docker-registry does not answer: ${log}`);
    await delay(50);
  }
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
