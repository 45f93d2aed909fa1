import { execa } from "execa";

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

async function runGit(
  directory: string,
  parameters: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const result = await execa("git", parameters, {
    cwd: directory,
    reject: false,
    timeout: gitTimeoutMs,
    stdin: "ignore",
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  return result.failed || result.stdout === "" ? undefined : result.stdout;
}
