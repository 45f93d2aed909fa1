import { access, readFile, statfs } from "node:fs/promises";
import { release } from "node:os";
import { dirname } from "node:path";
import { findProgram, tryCommand } from "../command.ts";
import type { Environment } from "../directories.ts";
import { type HostCheckItem, ok, warn } from "./item.ts";
import { readHostGpu } from "../gpu.ts";

/** A model image, its layers in the registry and one snapshot fit into this. */
const freeBytesWanted = 20 * 1024 ** 3;
/** Without this a build stops half way. */
const freeBytesMin = 5 * 1024 ** 3;
/** nvidia-smi takes seconds where persistence mode is off. */
const gpuQueryTimeoutMs = 15_000;

interface Options {
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

/** userfaultfd lets a restored process run before its memory is filled (`criu --lazy-pages`). */
export async function checkUserfaultfd(): Promise<HostCheckItem> {
  const unprivileged = await readSetting("/proc/sys/vm/unprivileged_userfaultfd");
  const name = "userfaultfd";
  if (unprivileged === undefined) {
    return warn(name, `kernel ${release()} has none`, "Restores fill memory before they run");
  }
  return ok(name, unprivileged === "1" ? "for every user" : "for root");
}

/** Restores fill memory several times faster with 2 MiB pages; the OCI runtime switches them on while it fills. */
export async function checkHugePages(
  isRoot: boolean,
  isAllowed: boolean | undefined,
): Promise<HostCheckItem> {
  const enabled = await readSetting("/sys/kernel/mm/transparent_hugepage/enabled");
  const name = "transparent huge pages";
  if (enabled === undefined) return warn(name, "not in this kernel", "Restores are slower");
  const selected = /\[(\w+)\]/.exec(enabled)?.[1] ?? enabled;
  if (selected === "always") return ok(name, selected);
  if (isAllowed === false) {
    const hint = "Large restores are slower; to allow it: byom host setup --huge-pages";
    return warn(name, `${selected}, left so by the setting`, hint);
  }
  return ok(name, `${selected}${isRoot ? ", `always` while a large restore fills memory" : ""}`);
}

/** NVIDIA GPUs and their driver. */
export async function checkGpu(options: Options): Promise<HostCheckItem> {
  const name = "gpu";
  if ((await findProgram("nvidia-smi", options)) !== undefined) {
    const query = "--query-gpu=name,driver_version,memory.total";
    const result = await tryCommand(["nvidia-smi", query, "--format=csv,noheader"], {
      ...options,
      timeoutMs: gpuQueryTimeoutMs,
    });
    if (result.exitCode === 0 && result.stdout.trim() !== "") {
      return ok(name, result.stdout.trim().split("\n").join("; "));
    }
    return warn(name, "nvidia-smi fails", "Reload or reinstall NVIDIA's driver, see: nvidia-smi");
  }
  const found = await readHostGpu({ signal: options.signal });
  if (found === undefined) return ok(name, "none: models run on the CPU");
  return ok(name, `${found.gpu ?? "unknown"} with driver ${found.driver ?? "unknown"}`);
}

/** Free space where images, snapshots and the registry are. */
export async function checkDisk(data: string): Promise<HostCheckItem> {
  const folder = await nearestFolder(data);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const detail = `${(free / 1024 ** 3).toFixed(0)} GiB free for ${data}`;
  if (free >= freeBytesWanted) return ok("disk", detail);
  const hint = "Free some space, or put byom's data elsewhere: BYOM_DATA_DIR=/path";
  return free >= freeBytesMin
    ? warn("disk", detail, hint)
    : { name: "disk", status: "missing", detail, hint };
}

async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    const exists = await access(folder).then(
      () => true,
      () => false,
    );
    if (exists || folder === dirname(folder)) return folder;
  }
}

async function readSetting(file: string): Promise<string | undefined> {
  return await readFile(file, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
}
