import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "./endpoint.ts";

/**
 * What the host knows about reaching package indexes and a build must know too. None of it reaches a layer: the
 * files are mounted while a step runs, the proxies are predefined build arguments (Dockerfile reference, "ARG").
 */
export interface LoadedHostTrust {
  /** Certificate authorities in PEM, the system's and the company's together. */
  readonly caBundle?: Buffer;
  /** A pip.conf with index settings only: no paths of this host. */
  readonly pipConfig?: string;
  /** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` in the spelling in which they were found. */
  readonly proxies: Readonly<Record<string, string>>;
}

/** A variable that points at a bundle says: the distribution's own certificates are not enough here. */
const bundleVariables = [
  "BYOM_CA_CERT",
  "COG_CA_CERT",
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
  "PIP_CERT",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
];

/** Debian and Alpine, Fedora, macOS. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/** What of pip's settings holds inside a container; find-links and certificates are paths of this host. */
const pipSettings = ["index-url", "extra-index-url", "trusted-host", "timeout", "retries"];

const proxyVariables = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"];

export async function loadHostTrust(options: {
  environment: Environment;
}): Promise<LoadedHostTrust> {
  const { environment } = options;
  const [caBundle, pipConfig] = await Promise.all([
    loadCaBundle(environment),
    loadPipConfig(environment),
  ]);
  return {
    ...(caBundle === undefined ? {} : { caBundle }),
    ...(pipConfig === undefined ? {} : { pipConfig }),
    proxies: findProxies(environment),
  };
}

async function loadCaBundle(environment: Environment): Promise<Buffer | undefined> {
  const named = bundleVariables.flatMap((name) => environment[name] || []);
  if (named.length === 0) return undefined;
  // NODE_EXTRA_CA_CERTS often holds one certificate only; the public ones must stay trusted beside it.
  const system = await Promise.all(systemBundles.map(readIfPresent));
  const bundle = system.find((bytes) => bytes !== undefined);
  const extra = await Promise.all([...new Set(named)].map(readIfPresent));
  const parts = [bundle, ...extra.filter((bytes) => bytes === undefined || !isSame(bytes, bundle))];
  const found = parts.filter((bytes) => bytes !== undefined);
  if (found.length === 0) return undefined;
  return Buffer.concat(found.flatMap((bytes) => [bytes, Buffer.from("\n")]));
}

function isSame(bytes: Buffer, other: Buffer | undefined): boolean {
  return other !== undefined && bytes.equals(other);
}

async function loadPipConfig(environment: Environment): Promise<string | undefined> {
  const settings = new Map<string, string>();
  for (const path of pipConfigPaths(environment)) {
    const text = (await readIfPresent(path))?.toString("utf8") ?? "";
    for (const [key, value] of parsePipConfig(text)) settings.set(key, value);
  }
  for (const key of pipSettings) {
    const value = environment[`PIP_${key.toUpperCase().replaceAll("-", "_")}`];
    if (value !== undefined && value !== "")
      settings.set(key, value.trim().replaceAll(/\s+/g, "\n    "));
  }
  if (settings.size === 0) return undefined;
  const lines = pipSettings.flatMap((key) => {
    const value = settings.get(key);
    return value === undefined ? [] : [`${key} = ${value}\n`];
  });
  return `[global]\n${lines.join("")}`;
}

/** pip's order, the later ones win (pip documentation, "Configuration"): global, user (old and new), explicit. */
function pipConfigPaths(environment: Environment): string[] {
  const home = environment["HOME"] ?? homedir();
  const configFolder = environment["XDG_CONFIG_HOME"] ?? join(home, ".config");
  const explicit = environment["PIP_CONFIG_FILE"];
  if (explicit === "/dev/null") return [];
  return [
    "/etc/pip.conf",
    "/etc/xdg/pip/pip.conf",
    join(home, ".pip", "pip.conf"),
    join(configFolder, "pip", "pip.conf"),
    ...(explicit === undefined || explicit === "" ? [] : [explicit]),
  ];
}

/** The settings we pass on from `[global]` and `[install]`; continuation lines are indented (configparser). */
function parsePipConfig(text: string): [string, string][] {
  const found: [string, string][] = [];
  let section = "";
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;].*)?$/.test(line)) continue;
    const header = /^\[(?<name>[^\]]+)\]/.exec(line)?.groups?.["name"];
    if (header !== undefined) {
      section = header.trim();
      continue;
    }
    if (section !== "global" && section !== "install") continue;
    const last = found.at(-1);
    if (/^\s/.test(line) && last !== undefined) {
      last[1] = `${last[1]}\n    ${line.trim()}`.trim();
      continue;
    }
    const [key = "", ...rest] = line.split(/[=:]/);
    found.push([key.trim().replaceAll("_", "-"), line.slice(key.length + 1).trim()]);
    if (rest.length === 0) found.pop();
  }
  return found.filter(([key]) => pipSettings.includes(key));
}

function findProxies(environment: Environment): Record<string, string> {
  const names = proxyVariables.flatMap((name) => [name, name.toLowerCase()]);
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === "" ? [] : [[name, value]];
    }),
  );
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch {
    return undefined;
  }
}
