import { existsSync } from "node:fs";

/**
 * What the new container has and may do. A snapshot is compared with it: CRIU takes mounts, credentials, capabilities
 * and filters from its images, so whatever goes beyond this would be given to the restored processes by root itself.
 */
export interface ContainerBounds {
  /** Bit numbers of capability.h. */
  readonly capabilities: ReadonlySet<number>;
  readonly mustHaveNoNewPrivileges: boolean;
  /** Every thread must be under a filter that denies what the engine's default denies. */
  readonly mustHaveSeccomp: boolean;
  /** The prefix of the AppArmor profile that containers get here; undefined: none. */
  readonly appArmorProfile?: string | undefined;
  /** The image's user is root, or not said. */
  readonly isRoot: boolean;
  /** Destinations of byom's own mounts, from the compatibility key. */
  readonly mounts: readonly string[];
  /** Paths in /proc and /sys that the engine hides or makes read-only, as far as this host's kernel has them. */
  readonly mustBeMasked: readonly string[];
}

/** Bit numbers of the capabilities that byom leaves to a container (runtime/engine/container-options.ts). */
const capabilityBits: Readonly<Record<string, number>> = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  NET_BIND_SERVICE: 10,
};

/** moby: oci/defaults.go, since Docker 20.10. Later engines hide more; that is allowed, not asked for. */
const maskedPaths = [
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/sys/firmware",
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
] as const;

/** Bounds of a container of byom on this host. */
export function containerBounds(input: {
  /** Names without `CAP_`. */
  readonly capabilities: readonly string[];
  readonly mounts: readonly string[];
  /** `User` of the image's config. */
  readonly user: string;
  /** Whether the engine gives its containers an AppArmor profile here. */
  readonly hasAppArmor: boolean;
}): ContainerBounds {
  return {
    capabilities: new Set(
      input.capabilities.map((name) => {
        const bit = capabilityBits[name];
        if (bit === undefined) throw new TypeError(`capability ${name} has no number here`);
        return bit;
      }),
    ),
    mustHaveNoNewPrivileges: true,
    mustHaveSeccomp: true,
    appArmorProfile: input.hasAppArmor ? "docker-default" : undefined,
    isRoot: ["", "0", "root"].includes(input.user.split(":")[0] ?? ""),
    mounts: input.mounts,
    mustBeMasked: maskedPaths.filter((path) => existsSync(path)),
  };
}
