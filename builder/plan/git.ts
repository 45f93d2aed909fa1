import { execFile } from "node:child_process";

/** Git answers from its own files in milliseconds; a hook or a network mount must not hold a plan up. */
const gitTimeoutMs = 3000;

export interface GitVersion {
  /** Full commit hash of HEAD. */
  readonly revision?: string;
  /** `git describe`: the nearest tag, with `-dirty` when the tracked files differ from HEAD. */
  readonly version?: string;
}

/** The state of the git repo around a folder; empty without git, without a repo or without a commit. */
export async function readGitVersion(
  directory: string,
  signal: AbortSignal | undefined,
): Promise<GitVersion> {
  const [revision, version] = await Promise.all([
    runGit(directory, ["rev-parse", "--verify", "HEAD"], signal),
    runGit(directory, ["describe", "--tags", "--dirty"], signal),
  ]);
  signal?.throwIfAborted();
  return {
    ...(revision === undefined ? {} : { revision }),
    ...(version === undefined ? {} : { version }),
  };
}

/** Node's own, as a start of execa costs a plan more than the rest of its work. Rejects never. */
async function runGit(
  directory: string,
  parameters: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const options = { cwd: directory, timeout: gitTimeoutMs, ...(signal && { signal }) };
  const child = execFile("git", parameters, options, (error, stdout) => {
    const text = stdout.trimEnd();
    resolve(error !== null || text === "" ? undefined : text);
  });
  child.stdin?.end();
  return await promise;
}
