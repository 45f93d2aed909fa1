import { access, readFile, readdir } from "node:fs/promises";
import { join, parse } from "node:path";
import { HostError } from "../errors.ts";

/** Where Debian's packages come from on this host, and which keys sign them. */
export interface DebianMirror {
  /** `http://mirror.example/debian`. */
  readonly url: string;
  readonly securityUrl?: string;
  readonly keyring: string;
}

const usualKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * The mirror that the host's own apt sources name, a company's maybe.
 * @throws HostError HOST_PACKAGES_UNSUPPORTED when none of them is Debian's.
 */
export async function findDebianMirror(options: {
  directory?: string;
  signal: AbortSignal;
}): Promise<DebianMirror> {
  const directory = options.directory ?? "/etc/apt";
  const entries: SourceEntry[] = [];
  for (const file of await listSourceFiles(directory)) {
    options.signal.throwIfAborted();
    const text = await readFile(file, "utf8").catch(() => "");
    entries.push(...(parse(file).ext === ".sources" ? parseDeb822(text) : parseOneLine(text)));
  }
  const isDebian = (entry: SourceEntry): boolean => /\/debian\/?$/.test(entry.url);
  const main = entries.find(isDebian);
  const security = entries.find((entry) => /\/debian-security\/?$/.test(entry.url));
  if (main === undefined) {
    throw new HostError(
      "HOST_PACKAGES_UNSUPPORTED",
      `none of the apt sources in ${directory} is a Debian mirror, and packages are needed from one`,
      { hint: `add one: deb [signed-by=${usualKeyring}] MIRROR stable main` },
    );
  }
  const keyring = main.keyring ?? usualKeyring;
  return {
    url: main.url,
    ...(security === undefined ? {} : { securityUrl: security.url }),
    keyring: (await isReadable(keyring)) ? keyring : usualKeyring,
  };
}

/** One line for sources.list. */
export function renderSource(mirror: DebianMirror, suite: string): string {
  const isSecurity = suite.endsWith("-security");
  const url = isSecurity ? (mirror.securityUrl ?? mirror.url) : mirror.url;
  return `deb [signed-by=${mirror.keyring}] ${url} ${suite} main`;
}

interface SourceEntry {
  readonly url: string;
  readonly keyring?: string;
}

async function listSourceFiles(directory: string): Promise<readonly string[]> {
  const parts = join(directory, "sources.list.d");
  const names = await readdir(parts).catch(() => [] as string[]);
  const files = names.filter((name) => name.endsWith(".list") || name.endsWith(".sources"));
  return [join(directory, "sources.list"), ...files.sort().map((name) => join(parts, name))];
}

/** sources.list(5), the one-line style. */
export function parseOneLine(text: string): readonly SourceEntry[] {
  const entries: SourceEntry[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)/.exec(line);
    if (match?.[2] === undefined) continue;
    const keyring = /signed-by=(\/\S+)/.exec(match[1] ?? "")?.[1];
    entries.push({ url: match[2], ...(keyring === undefined ? {} : { keyring }) });
  }
  return entries;
}

/** sources.list(5), the deb822 style. */
export function parseDeb822(text: string): readonly SourceEntry[] {
  const entries: SourceEntry[] = [];
  for (const stanza of text.split(/\n\s*\n/)) {
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}:[ \t]*(.+)$`, "im").exec(stanza)?.[1]?.trim();
    if (field("Enabled") === "no" || !/\bdeb\b/.test(field("Types") ?? "")) continue;
    const keyring = field("Signed-By");
    for (const url of (field("URIs") ?? "").split(/\s+/).filter(Boolean)) {
      entries.push({ url, ...(keyring?.startsWith("/") ? { keyring } : {}) });
    }
  }
  return entries;
}

async function isReadable(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}
