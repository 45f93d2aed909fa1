import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import type { EngineInfo } from "../engine/engine.ts";
import { ociRuntimeName, wrapperProtocol } from "../oci-runtime/wrapper.ts";
import type { RuncPaths } from "./dump.ts";
import { keepKernelCache } from "./kernel-cache.ts";
import { readCpuFeatures, type HostKey } from "./key.ts";

export type Capability =
  | { readonly isAvailable: true; readonly ociRuntime: string; readonly host: HostKey }
  | { readonly isAvailable: false; readonly reason: string };

/** `criu check` probes the kernel; it takes some tens of milliseconds. */
const checkTimeoutMs = 10_000;

/** Whether this host can capture and restore; the first thing that it lacks, said with its remedy. */
export async function detectCapability(input: {
  readonly engine: EngineInfo;
  readonly paths: RuncPaths;
  readonly isRoot: boolean;
  readonly signal: AbortSignal;
}): Promise<Capability> {
  const { engine, paths, isRoot, signal } = input;
  const lacks = (reason: string): Capability => ({ isAvailable: false, reason });
  if (!engine.isLocal) return lacks("the engine runs on another machine, or in a virtual one");
  if (!isRoot) return lacks("only root can restore processes: run `byom up` as root");
  if (!engine.runtimes.includes(ociRuntimeName)) {
    return lacks("the engine does not know byom's OCI runtime: run `byom host setup`");
  }
  const criu = join(paths.criuDirectory, "criu");
  if (!(await isExecutable(criu))) return lacks("CRIU is not installed: run `byom host setup`");
  await keepKernelCache({ criu, signal });
  const run = async (file: string, ...command: string[]): Promise<string | undefined> => {
    const result = await execa(file, command, {
      reject: false,
      timeout: checkTimeoutMs,
      cancelSignal: signal,
      stdin: "ignore",
    });
    signal.throwIfAborted();
    return result.failed ? undefined : result.stdout;
  };
  const [version, check, runc, cpuFeatures] = await Promise.all([
    run(criu, "--version"),
    run(criu, "check"),
    run(paths.runc, "--version"),
    readCpuFeatures(),
  ]);
  if (version === undefined || check === undefined) {
    return lacks("CRIU does not work with this kernel: `criu check` says why");
  }
  if (runc === undefined) return lacks(`${paths.runc} does not run`);
  return {
    isAvailable: true,
    ociRuntime: ociRuntimeName,
    host: {
      cpuFeatures,
      kernel: engine.kernelVersion,
      criu: /Version: (\S+)/.exec(version)?.[1] ?? version.trim(),
      ociRuntime: `${runc.split("\n")[0] ?? ""}, byom protocol ${wrapperProtocol}`,
      cgroupVersion: engine.cgroupVersion,
    },
  };
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
