import { constants } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { HostError } from "../errors.ts";

/** One entry of `runtimes` in dockerd's settings. */
export interface RuntimeEntry {
  readonly name: string;
  readonly path: string;
}

/**
 * The text of daemon.json with the runtime registered: every other key, their order and the indentation stay.
 * @throws HostError HOST_DAEMON_SETTINGS_INVALID when the text is not a JSON object.
 */
export function addRuntime(text: string, runtime: RuntimeEntry): string {
  const settings = parseSettings(text);
  const runtimes = { ...runtimesOf(settings), [runtime.name]: { path: runtime.path } };
  return render({ ...settings, runtimes }, text);
}

/** The text of daemon.json without the runtime; an emptied `runtimes` goes too. Unchanged text when it is not there. */
export function removeRuntime(text: string, name: string): string {
  const settings = parseSettings(text);
  const { [name]: removed, ...runtimes } = runtimesOf(settings);
  if (removed === undefined) return text;
  const { runtimes: _former, ...others } = settings;
  if (Object.keys(runtimes).length === 0) return render(others, text);
  return render({ ...settings, runtimes }, text);
}

/** The same settings with a `runtimes` key, empty where there was none. */
export function withRuntimesKey(text: string): string {
  const settings = parseSettings(text);
  return render({ ...settings, runtimes: runtimesOf(settings) }, text);
}

/** Reads dockerd's settings; a missing file is an empty object. */
export async function readDaemonSettings(
  file: string,
  options: { signal: AbortSignal },
): Promise<string> {
  try {
    return await readFile(file, { encoding: "utf8", signal: options.signal });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "{}\n";
    throw error;
  }
}

/** Keeps dockerd's settings as they were before byom's first change, beside the file. */
export async function backUpDaemonSettings(file: string): Promise<void> {
  await copyFile(file, backupOf(file), constants.COPYFILE_EXCL).catch(ignoreAbsence);
}

/** Puts the settings back that say the same as `text`, byte by byte when the backup does; `{}` is no file. */
export async function restoreDaemonSettings(
  file: string,
  text: string,
  options: { signal: AbortSignal },
): Promise<void> {
  const backup = await readFile(backupOf(file), "utf8").catch(() => undefined);
  if (backup !== undefined && isSameJson(backup, text)) await rename(backupOf(file), file);
  else if (isSameJson(text, "{}")) await rm(file, { force: true });
  else await writeDaemonSettings(file, text, options);
}

/** Replaces dockerd's settings whole or not at all. */
export async function writeDaemonSettings(
  file: string,
  text: string,
  options: { signal: AbortSignal },
): Promise<void> {
  const part = `${file}.byom-part`;
  await mkdir(dirname(file), { recursive: true });
  const mode = await stat(file).then(
    (status) => status.mode & 0o777,
    () => undefined,
  );
  await writeFile(part, text, { mode: mode ?? 0o644, signal: options.signal });
  await rename(part, file);
}

/** Whether two JSON texts say the same, whatever their formatting. */
export function isSameJson(one: string, other: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(one || "{}"), JSON.parse(other || "{}"));
  } catch {
    return false;
  }
}

function backupOf(file: string): string {
  return `${file}.before-byom`;
}

/** There is nothing to keep, or it is kept already. */
function ignoreAbsence(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
}

function parseSettings(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : JSON.parse(text);
  } catch (cause) {
    throw invalid(String((cause as Error).message), cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("expected a JSON object");
  }
  return value as Record<string, unknown>;
}

function runtimesOf(settings: Record<string, unknown>): Record<string, unknown> {
  const runtimes = settings["runtimes"] ?? {};
  if (typeof runtimes !== "object" || Array.isArray(runtimes)) {
    throw invalid("`runtimes` is not an object");
  }
  return runtimes as Record<string, unknown>;
}

function render(settings: Record<string, unknown>, former: string): string {
  const indentation = /^([ \t]+)"/m.exec(former)?.[1] ?? "  ";
  return `${JSON.stringify(settings, null, indentation)}\n`;
}

function invalid(detail: string, cause?: unknown): HostError {
  return new HostError(
    "HOST_DAEMON_SETTINGS_INVALID",
    `dockerd's settings (daemon.json) cannot be changed: ${detail}`,
    { hint: "Correct the file, then run: byom host setup", cause },
  );
}
