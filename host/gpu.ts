import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where NVIDIA's kernel module describes itself; absent without it. */
const nvidiaFolder = "/proc/driver/nvidia";

/** This machine's GPU and driver, as far as the kernel module tells. */
export interface HostGpu {
  /** Such as `NVIDIA H100 80GB HBM3`: the first one. */
  readonly gpu?: string;
  /** Such as `535.104.05`. */
  readonly driver?: string;
}

/** Reads what the kernel module says; undefined on a machine without one. Starts no program. */
export async function readHostGpu(
  options: { readonly folder?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<HostGpu | undefined> {
  const { folder = nvidiaFolder, signal } = options;
  const read = async (path: string): Promise<string> =>
    await readFile(join(folder, path), { encoding: "utf8", ...(signal && { signal }) }).catch(
      () => "",
    );
  const version = await read("version");
  signal?.throwIfAborted();
  const driver = /Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)/.exec(version)?.[1];
  const devices = await readdir(join(folder, "gpus")).catch(() => []);
  const first = devices[0];
  const model = first === undefined ? "" : await read(join("gpus", first, "information"));
  const gpu = /^Model:\s*(\S.*)$/m.exec(model)?.[1]?.trim();
  if (driver === undefined && gpu === undefined) return undefined;
  return { ...(gpu !== undefined && { gpu }), ...(driver !== undefined && { driver }) };
}
