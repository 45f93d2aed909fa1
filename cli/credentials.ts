import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Context } from "./context.ts";
import { CommandError } from "./errors.ts";

/** Where the platform is and how to prove who calls. */
export interface PlatformAccess {
  /** Base URL without a trailing slash. */
  readonly url: string;
  readonly apiKey: string;
}

/** Written by `byom up` on its first start, mode 0600; read by every command that talks to the platform. */
const schema = z.object({ url: z.string(), apiKey: z.string() });

/** BYOM_URL and BYOM_API_KEY win over what `byom up` left on this machine. */
export async function loadAccess(context: Context): Promise<PlatformAccess> {
  const saved = await readSaved(context);
  const url = context.environment["BYOM_URL"] ?? saved?.url;
  const apiKey = context.environment["BYOM_API_KEY"] ?? saved?.apiKey;
  if (url === undefined || apiKey === undefined) {
    throw new CommandError({
      code: "platform_unknown",
      message: "no platform is known on this machine",
      hint: "start one with `byom up --detach`, or set BYOM_URL and BYOM_API_KEY",
    });
  }
  return { url: url.replace(/\/+$/, ""), apiKey };
}

export async function saveAccess(context: Context, access: PlatformAccess): Promise<string> {
  const path = credentialsPath(context);
  await mkdir(context.directories.config, { recursive: true, mode: 0o700 });
  const next = `${path}.new`;
  // A file that is there keeps its mode when it is written to, and this one may be anybody's to read.
  await rm(next, { force: true });
  await writeFile(next, `${JSON.stringify(access, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
  await rename(next, path);
  return path;
}

async function readSaved(context: Context): Promise<PlatformAccess | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(credentialsPath(context), "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CommandError({
      code: "credentials_unreadable",
      message: `${credentialsPath(context)} cannot be read: ${(error as Error).message}`,
      hint: "remove the file and run `byom keys create` on the platform's machine, or set BYOM_API_KEY",
      cause: error,
    });
  }
}

function credentialsPath(context: Context): string {
  return join(context.directories.config, "credentials.json");
}
