import type { ContainerCreateOptions, HostConfig } from "dockerode";

import type { ContainerSpec } from "./engine.ts";

/** Cog's port (cog: `EXPOSE 5000`). */
export const containerPort = "5000/tcp";

/** More than Docker's 64 MiB, which torch's DataLoader overruns. A limit: unused space takes no memory. */
const sharedMemoryBytes = 2 * 1024 ** 3;
/** Generous for a model's threads; stops a fork bomb. */
const pidsMaxDefault = 4096;

/**
 * What the root user of a Cog image needs for its own files and processes. Everything else of Docker's default set is
 * dropped: raw sockets, device nodes, changing of capabilities, chroot, low ports, audit.
 */
export const capabilitiesKept = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "KILL",
  "SETGID",
  "SETUID",
] as const;

/** The body of `POST /containers/create`, as a value. */
export function containerOptions(
  spec: ContainerSpec,
  options: {
    /** Publish port 5000 on loopback, because the container's own address is out of reach. */
    readonly isPublished: boolean;
  },
): ContainerCreateOptions {
  return {
    name: spec.name,
    Image: spec.imageId,
    Labels: { ...spec.labels },
    Env: Object.entries({ ...spec.environment, ...spec.secrets?.values }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    ExposedPorts: { [containerPort]: {} },
    // No terminal, no input: the log keeps stdout and stderr apart, and CRIU has no terminal to restore.
    Tty: false,
    OpenStdin: false,
    HostConfig: {
      ...security(),
      ...resources(spec),
      ...(spec.ociRuntime === undefined ? {} : { Runtime: spec.ociRuntime }),
      NetworkMode: spec.network,
      Mounts: spec.mounts.map((mount) => ({
        Type: "bind",
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.isReadOnly,
      })),
      // Docker's init is bind-mounted below /sbin, which CRIU cannot restore; Cog images have tini.
      Init: false,
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      ...(options.isPublished
        ? { PortBindings: { [containerPort]: [{ HostIp: "127.0.0.1", HostPort: "" }] } }
        : {}),
    },
  };
}

function security(): HostConfig {
  return {
    SecurityOpt: ["no-new-privileges:true"],
    CapDrop: ["ALL"],
    CapAdd: [...capabilitiesKept],
  };
}

function resources(spec: ContainerSpec): HostConfig {
  const { memoryBytes, cpus, gpus } = spec;
  return {
    PidsLimit: spec.pidsMax ?? pidsMaxDefault,
    ShmSize: sharedMemoryBytes,
    // Equal: no swap. A model that swaps is slower than one that is told it is too big.
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
    ...(gpus === undefined
      ? {}
      : {
          DeviceRequests: [
            gpus === "all"
              ? { Count: -1, Capabilities: [["gpu"]] }
              : { DeviceIDs: [...gpus], Capabilities: [["gpu"]] },
          ],
        }),
  };
}
