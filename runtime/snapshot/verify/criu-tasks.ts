import type { ContainerBounds } from "./container.ts";
import { readImage } from "./criu-image.ts";
import type { Message } from "./protobuf.ts";
import { quoted, refuse } from "./refusal.ts";
import { assertFilters, isSpread } from "./seccomp.ts";

/** Fields of task_kobj_ids_entry (CRIU: images/core.proto). */
const namespaceFields = { pid: 5, net: 6, ipc: 7, uts: 8, mnt: 9 } as const;
const otherNamespaceFields = [10, 11, 12] as const;

/** Fields of creds_entry (images/creds.proto). */
const credentials = {
  ids: [1, 2, 3, 4, 5, 6, 7, 8],
  inheritable: 9,
  permitted: 10,
  effective: 11,
  bounding: 12,
  secureBits: 13,
  groups: 14,
  lsmProfile: 15,
  lsmSocket: 16,
  appArmor: 17,
  noNewPrivileges: 18,
  ambient: 19,
} as const;

/** `RLIMIT_NICE` and `RLIMIT_RTPRIO` (getrlimit(2)): beyond 0 they let a process push others aside. */
const priorityLimits = [13, 14] as const;
/** `SCHED_OTHER`, `SCHED_BATCH`, `SCHED_IDLE`. */
const ordinaryPolicies = [0, 3, 5];
const seccompFilterMode = 2;

/**
 * That every process is in namespaces of the container's own, and that no thread has credentials, capabilities, filters
 * or priorities that the container does not give. CRIU sets all of them from the images, as root.
 */
export async function verifyTasks(
  images: string,
  names: readonly string[],
  bounds: ContainerBounds,
): Promise<void> {
  await verifyNamespaces(images, names);
  const filters = names.includes("seccomp.img")
    ? ((await readImage(images, "seccomp.img", "seccomp"))[0]?.messages(1, "images/seccomp.img") ??
      [])
    : [];
  const left = new Set(names.filter((name) => name.startsWith("core-")));
  for (const process of await readImage(images, "pstree.img", "pstree")) {
    const leader = process.uint32(1) ?? 0;
    const threads = [leader, ...process.uint32s(5).filter((thread) => thread !== leader)];
    const cores: Core[] = [];
    for (const thread of threads) {
      const name = `core-${thread}.img`;
      if (!left.delete(name)) refuse(`images/${name} is missing`);
      const [core, ...more] = await readImage(images, name, "core");
      if (core === undefined || more.length > 0)
        return refuse(`images/${name} has no single entry`);
      cores.push({ core, what: `images/${name}` });
    }
    for (const core of cores) verifyCore(core, bounds);
    if (bounds.mustHaveSeccomp) verifyFilters(cores, filters);
  }
  const [unused] = left;
  if (unused !== undefined) refuse(`images/${unused} belongs to no process`);
  if (!names.includes("core-1.img")) refuse("images/core-1.img is missing");
}

/** The namespaces of the host are those of CRIU itself at the dump: a task with the same ID would be restored in them. */
async function verifyNamespaces(images: string, names: readonly string[]): Promise<void> {
  const [inventory] = await readImage(images, "inventory.img", "inventory");
  const host = inventory?.message(3);
  if (host === undefined) return refuse("images/inventory.img names no namespaces");
  if (inventory?.message(12)?.texts(12).length) refuse("the images need a plugin of CRIU");
  const ids = names.filter((name) => /^ids-\d+\.img$/.test(name));
  if (!ids.includes("ids-1.img")) refuse("images/ids-1.img is missing");
  const [init] = await readImage(images, "ids-1.img", "ids");
  if (init === undefined) return refuse("images/ids-1.img is empty");
  for (const [name, field] of Object.entries(namespaceFields)) {
    const own = init.uint32(field);
    if (own === undefined || own === 0 || own === host.uint32(field)) {
      refuse(`the images would run processes in the host's ${name} namespace`);
    }
  }
  for (const name of ids) {
    for (const task of await readImage(images, name, "ids")) {
      const fields = [...Object.values(namespaceFields), ...otherNamespaceFields];
      const differs = fields.some((field) => task.uint32(field) !== init.uint32(field));
      if (differs) refuse(`images/${name} has a process in a namespace of its own`);
    }
  }
  if (init.uint32(10) !== host.uint32(10)) refuse("the images have a user namespace");
}

interface Core {
  readonly core: Message;
  readonly what: string;
}

/** The part of a core image that is every thread's. */
function threadOf({ core, what }: Core): Message {
  return core.message(5) ?? refuse(`${what} describes no thread`);
}

function verifyCore({ core, what }: Core, bounds: ContainerBounds): void {
  const thread = threadOf({ core, what });
  const creds = thread.message(10) ?? refuse(`${what} has no credentials`);
  verifyCredentials(creds, { what, bounds });
  if ((thread.sint32(3) ?? 0) < 0) refuse(`${what} has a raised priority`);
  const policy = thread.uint32(4) ?? 0;
  if (!ordinaryPolicies.includes(policy)) refuse(`${what} has the real-time policy ${policy}`);
  verifyProcess(core.message(3), what);
}

/**
 * A process's first thread must be filtered. CRIU notes nothing of a filter for the others when all have the same: it
 * then sets the first one's with the flag that spreads it over the process (seccomp(2), TSYNC).
 */
function verifyFilters(cores: readonly Core[], filters: readonly Message[]): void {
  for (const [at, core] of cores.entries()) {
    const thread = threadOf(core);
    const { what } = core;
    const mode = thread.uint32(11) ?? 0;
    const [leader] = cores;
    if (at > 0 && mode === 0 && leader !== undefined) {
      const index = threadOf(leader).uint32(12) ?? 0;
      if (isSpread(filters, index)) continue;
    }
    if (mode !== seccompFilterMode) refuse(`${what} would run without a seccomp filter`);
    assertFilters({ filters, index: thread.uint32(12) ?? 0, what });
  }
}

function verifyCredentials(
  creds: Message,
  { what, bounds }: { readonly what: string; readonly bounds: ContainerBounds },
): void {
  creds.expectOnly(Object.values(credentials).flat());
  for (const name of ["inheritable", "permitted", "effective", "bounding", "ambient"] as const) {
    const words = creds.uint32s(credentials[name]);
    for (const bit of bitsOf(words)) {
      const isGiven = bounds.capabilities.has(bit) && (bounds.isRoot || name === "bounding");
      if (!isGiven) {
        refuse(`${what} has the ${name} capability ${bit}, which the container does not have`);
      }
    }
  }
  if (!bounds.isRoot && credentials.ids.some((field) => (creds.uint32(field) ?? 0) === 0)) {
    refuse(`${what} runs as root, which the image does not`);
  }
  if ((creds.uint32(credentials.secureBits) ?? 0) !== 0) refuse(`${what} has secure bits set`);
  if (bounds.mustHaveNoNewPrivileges && creds.uint32(credentials.noNewPrivileges) !== 1) {
    refuse(`${what} may gain privileges: no_new_privs is off`);
  }
  const profile = creds.text(credentials.lsmProfile) ?? "";
  const expected = bounds.appArmorProfile;
  if (
    expected === undefined
      ? profile !== "" && profile !== "unconfined"
      : !profile.startsWith(expected)
  ) {
    refuse(`${what} has the security profile ${quoted(profile)}`);
  }
  if (creds.has(credentials.appArmor) || creds.has(credentials.lsmSocket)) {
    refuse(`${what} brings a security policy of its own`);
  }
}

/** A task's part of a core image; threads beyond the first have none. */
function verifyProcess(task: Message | undefined, what: string): void {
  if (task === undefined) return;
  if ((task.int32(14) ?? 0) < 0) refuse(`${what} is protected from the out-of-memory killer`);
  const limits = task.message(10)?.messages(1, what) ?? [];
  for (const index of priorityLimits) {
    const limit = limits[index];
    if (limit !== undefined && (limit.uint64(1) !== 0n || limit.uint64(2) !== 0n)) {
      refuse(`${what} raises its limit of priority`);
    }
  }
}

function bitsOf(words: readonly number[]): readonly number[] {
  return words.flatMap((word, index) =>
    Array.from({ length: 32 }, (_, bit) => bit)
      .filter((bit) => (word & (2 ** bit)) !== 0)
      .map((bit) => index * 32 + bit),
  );
}
