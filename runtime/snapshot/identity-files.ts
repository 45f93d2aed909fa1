import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  rmdir,
  statfs,
  symlink,
  unlink,
  type FileHandle,
} from "node:fs/promises";

import { SnapshotError } from "../errors.ts";
import type { InstanceIdentity } from "./identity.ts";

/** Below /dev/shm: in memory, and in no layer of the container's root. `/run/byom/secrets` links to it. */
const secretsName = "byom-secrets";
/** As a variable of the environment is named; so no name leaves the directory. */
const secretNamePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** statfs(2), TMPFS_MAGIC. */
const tmpfsType = 0x01021994;

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Writes `/run/byom/instance.json` and `/run/byom/secrets/NAME` into a running container, from outside, so that they
 * are there without its help and whatever its capabilities are; mode 0600, owned by its init's user.
 *
 * The container may have put anything at these paths. No link is followed: each directory is opened below the one
 * before, so that nothing outside of the container can be named.
 * @throws SnapshotError `snapshot_identity_failed`
 */
export async function writeIdentity(initPid: number, identity: InstanceIdentity): Promise<void> {
  const { secrets, ...facts } = identity;
  const wrong = Object.keys(secrets).find((name) => !secretNamePattern.test(name));
  if (wrong !== undefined) throw failed(`a secret cannot be named ${JSON.stringify(wrong)}`);
  try {
    const owner = await ownerOf(initPid);
    await using root = await openRoot(initPid);
    await using run = await enter(root, "run");
    await using byom = await enterOrMake(run, "byom", owner);
    if (Object.keys(secrets).length > 0) await writeSecrets({ root, byom, secrets, owner });
    await writeAtomically(byom, "instance.json", `${JSON.stringify(facts, undefined, 2)}\n`, owner);
  } catch (error) {
    throw failed("the instance's identity cannot be written into its container", error);
  }
}

/**
 * Paths of the helpers' sockets in a container while `work` runs, below a directory that is held open: a link that the
 * container laid in their place is neither followed nor listed.
 */
export async function withHelperSockets<Result>(
  initPid: number,
  work: (paths: readonly string[]) => Promise<Result>,
): Promise<Result> {
  await using root = await openRoot(initPid).catch(nothing);
  const result = await inDirectory(root, ["run", "byom"], async (byom) => {
    const entries = await readdir(at(byom, "."), { withFileTypes: true });
    const sockets = entries.filter((entry) => entry.isSocket() && entry.name.endsWith(".sock"));
    return { of: await work(sockets.map(({ name }) => at(byom, name)).toSorted()) };
  });
  return result === undefined ? await work([]) : result.of;
}

/**
 * Does the work, such as a dump, while neither identity nor secrets are among a container's files; then puts them back,
 * because the instance serves on.
 */
export async function withoutIdentity<Result>(
  initPid: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const owner = await ownerOf(initPid);
  const withdrawn = await withdraw(initPid);
  try {
    return await work();
  } finally {
    await putBack(initPid, withdrawn, owner).catch(() => {}); // it ended meanwhile
  }
}

interface Withdrawn {
  readonly facts: string | undefined;
  readonly secrets: Readonly<Record<string, Buffer>> | undefined;
}

async function withdraw(initPid: number): Promise<Withdrawn> {
  await using root = await openRoot(initPid);
  const facts = await inDirectory(root, ["run", "byom"], async (byom) => {
    const path = at(byom, "instance.json");
    const text = await readFile(path, { encoding: "utf8", flag: readFlags }).catch(() => undefined);
    await rm(path, { force: true });
    await unlink(at(byom, "secrets")).catch(() => {});
    return text;
  });
  const secrets = await inDirectory(root, ["dev", "shm"], takeSecrets);
  return { facts, secrets };
}

async function putBack(initPid: number, withdrawn: Withdrawn, owner: Owner): Promise<void> {
  const { facts, secrets } = withdrawn;
  if (facts === undefined && secrets === undefined) return;
  await using root = await openRoot(initPid);
  await using run = await enter(root, "run");
  await using byom = await enter(run, "byom");
  if (secrets !== undefined) await writeSecrets({ root, byom, secrets, owner });
  if (facts !== undefined) await writeAtomically(byom, "instance.json", facts, owner);
}

async function takeSecrets(shared: FileHandle): Promise<Record<string, Buffer> | undefined> {
  const secrets: Record<string, Buffer> = {};
  await inDirectory(shared, [secretsName], async (directory) => {
    for (const name of await readdir(at(directory, "."))) {
      if (secretNamePattern.test(name)) {
        secrets[name] = await readFile(at(directory, name), { flag: readFlags });
      }
      await unlink(at(directory, name));
    }
  });
  await rmdir(at(shared, secretsName)).catch(() => {});
  return Object.keys(secrets).length === 0 ? undefined : secrets;
}

async function writeSecrets(input: {
  readonly root: FileHandle;
  readonly byom: FileHandle;
  readonly secrets: Readonly<Record<string, string | Buffer>>;
  readonly owner: Owner;
}): Promise<void> {
  const { root, byom, secrets, owner } = input;
  await using dev = await enter(root, "dev");
  await using shared = await enter(dev, "shm");
  if ((await statfs(at(shared, "."))).type !== tmpfsType) {
    throw new Error("/dev/shm of the container is no tmpfs: secrets would be written to a disk");
  }
  await using directory = await enterOrMake(shared, secretsName, owner);
  for (const name of await readdir(at(directory, "."))) {
    if (!Object.hasOwn(secrets, name)) await unlink(at(directory, name));
  }
  for (const [name, value] of Object.entries(secrets)) {
    await writeAtomically(directory, name, value, owner);
  }
  const link = at(byom, `.secrets-${randomBytes(6).toString("hex")}`);
  await symlink(`/dev/shm/${secretsName}`, link);
  await rename(link, at(byom, "secrets"));
}

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Not blocking: a pipe of that name must not hold the platform. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const nothing = (): undefined => undefined;

/** A name below an open directory, whatever its path has become (proc(5), /proc/self/fd). */
function at(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

async function openRoot(initPid: number): Promise<FileHandle> {
  return await open(`/proc/${initPid}/root`, constants.O_RDONLY | constants.O_DIRECTORY);
}

async function enter(directory: FileHandle, name: string): Promise<FileHandle> {
  return await open(at(directory, name), directoryFlags);
}

async function enterOrMake(directory: FileHandle, name: string, owner: Owner): Promise<FileHandle> {
  const isNew = await mkdir(at(directory, name), 0o700).then(
    () => true,
    () => false,
  );
  const made = await enter(directory, name);
  if (isNew) await made.chown(owner.uid, owner.gid);
  return made;
}

/** Undefined when a directory on the way is not there, or is none. */
async function inDirectory<Result>(
  from: FileHandle | undefined,
  names: readonly string[],
  work: (directory: FileHandle) => Promise<Result>,
): Promise<Result | undefined> {
  const [name, ...below] = names;
  if (from === undefined) return undefined;
  if (name === undefined) return await work(from);
  await using directory = await enter(from, name).catch(nothing);
  return await inDirectory(directory, below, work);
}

async function writeAtomically(
  directory: FileHandle,
  name: string,
  content: string | Buffer,
  owner: Owner,
): Promise<void> {
  const unfinished = at(directory, `.${name}-${randomBytes(6).toString("hex")}`);
  await using file = await open(unfinished, createFlags, 0o600);
  await file.writeFile(content);
  await file.chown(owner.uid, owner.gid);
  await rename(unfinished, at(directory, name));
}

/** The user of the container's init, as the host counts users. */
async function ownerOf(initPid: number): Promise<Owner> {
  const status = await readFile(`/proc/${initPid}/status`, "utf8");
  const id = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+\\d+\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return { uid: id("Uid"), gid: id("Gid") };
}

function failed(message: string, cause?: unknown): SnapshotError {
  if (cause instanceof SnapshotError) return cause;
  const reason = cause instanceof Error ? `: ${cause.message}` : "";
  return new SnapshotError("snapshot_identity_failed", message + reason, {
    ...(cause === undefined ? {} : { cause }),
    hint: "leave /run/byom and /dev/shm of the image to byom",
  });
}
