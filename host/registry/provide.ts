import { mkdir } from "node:fs/promises";
import type { ConnectedEngine } from "../engine/connect.ts";
import { hostPaths } from "../directories.ts";
import { tryPull } from "../engine/pull.ts";
import { HostError } from "../errors.ts";
import type { Distribution } from "../packages/distribution.ts";
import type { RegistrySettings } from "../settings.ts";
import { waitFor } from "../wait.ts";
import { registryImage, startRegistryContainer } from "./container.ts";
import { findFreePort, isRegistryHealthy } from "./probe.ts";
import {
  findRegistryProgram,
  provideRegistryProgram,
  type RegistryProcessOptions,
  startRegistryProcess,
} from "./process.ts";

/** A registry's usual port first; others where something else has it (macOS's AirPlay, another registry). */
const ports: readonly number[] = [5000, 5050, 5100, 5500, 15_000, 25_000];
const readyTimeoutMs = 15_000;

/**
 * The registry that models are pushed to: the configured one; else ours from an earlier set-up, started again; else
 * CNCF Distribution as a container where its image can be pulled, else as a process from the distribution's package.
 * @throws HostError HOST_REGISTRY_FAILED
 */
export async function provideRegistry(
  target: { engine: ConnectedEngine; distribution: Distribution; former?: RegistrySettings },
  options: RegistryProcessOptions,
): Promise<RegistrySettings> {
  const configured = configuredRegistry(options.environment, target.former);
  if (configured !== undefined) return await useConfigured(configured, options);
  const port = await choosePort(target.former, options);
  const program = await findRegistryProgram(options);
  if (target.former?.kind !== "process" || program === undefined) {
    const isLocal = target.engine.host.startsWith("unix://");
    const pulled = isLocal
      ? await tryPull(target.engine.docker, registryImage, options)
      : { isPresent: false, reason: "the engine is not on this machine" };
    if (pulled.isPresent) return await startContainer(target.engine, port, options);
    options.onLine?.(
      `${registryImage} cannot be pulled: ${"reason" in pulled ? pulled.reason : ""}`,
    );
  }
  const server = program ?? (await provideRegistryProgram(target.distribution, options));
  return { address: await startRegistryProcess(server, port, options), kind: "process" };
}

/** `BYOM_REGISTRY`, else the registry that was configured at an earlier set-up. */
export function configuredRegistry(
  environment: Readonly<Record<string, string | undefined>>,
  former: RegistrySettings | undefined,
): string | undefined {
  const address = environment["BYOM_REGISTRY"];
  if (address) return address.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  return former?.kind === "configured" ? former.address : undefined;
}

async function useConfigured(
  address: string,
  options: RegistryProcessOptions,
): Promise<RegistrySettings> {
  if (await isRegistryHealthy(address, options)) return { address, kind: "configured" };
  throw new HostError("HOST_REGISTRY_FAILED", `no registry answers at ${address}`, {
    hint: "Correct BYOM_REGISTRY, or set it to nothing and let byom run one: BYOM_REGISTRY= byom host setup",
  });
}

/** The port of the earlier set-up stays when it can: images are named after it. */
async function choosePort(
  former: RegistrySettings | undefined,
  options: RegistryProcessOptions,
): Promise<number> {
  const formerPort = Number(former?.address.split(":").at(-1) ?? "0");
  const candidates = formerPort > 0 ? [formerPort, ...ports] : ports;
  const port = await findFreePort(candidates, options);
  if (port !== undefined) return port;
  throw new HostError("HOST_REGISTRY_FAILED", `ports ${ports.join(", ")} are all taken`, {
    hint: "Stop what listens on one of them, or point byom at a registry: BYOM_REGISTRY=host:port",
  });
}

async function startContainer(
  engine: ConnectedEngine,
  port: number,
  options: RegistryProcessOptions,
): Promise<RegistrySettings> {
  const { signal } = options;
  const storage = hostPaths(options.directories).registryStorage;
  await mkdir(storage, { recursive: true });
  const address = await startRegistryContainer(engine.docker, { port, storage, signal });
  const look = async (): Promise<true | undefined> =>
    (await isRegistryHealthy(address, { signal })) ? true : undefined;
  if (await waitFor(look, { timeoutMs: readyTimeoutMs, signal })) {
    return { address, kind: "container" };
  }
  throw new HostError("HOST_REGISTRY_FAILED", "the registry's container does not answer", {
    hint: "See: docker logs byom-registry",
  });
}
