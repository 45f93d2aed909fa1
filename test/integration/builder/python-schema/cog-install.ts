import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

/** The versions that images get by default. */
const packages = ["cog==0.23.1", "coglet==0.23.1"];

/** Creating the environment downloads about 10 MB. */
const installTimeoutMs = 240_000;

/** Installs cog under `directory/venv`; says why when it cannot be had here. */
export async function installCog(directory: string): Promise<string | undefined> {
  const run = promisify(execFile);
  const options = { timeout: installTimeoutMs };
  try {
    await run("python3", ["-m", "venv", join(directory, "venv")], options);
    await run(join(directory, "venv/bin/pip"), ["install", "-q", ...packages], options);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 300) : String(error);
  }
}
