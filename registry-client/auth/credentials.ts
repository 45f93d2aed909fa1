import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, RegistryError } from "../errors.ts";
import { dockerHub } from "../oci/reference.ts";
import { runCredentialHelper } from "./credential-helper.ts";
import { Secret } from "./secret.ts";

/** How to prove who we are to one registry. */
export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: Secret }
  /** An OAuth refresh token for the token server. */
  | { readonly kind: "identity-token"; readonly token: Secret }
  /** A bearer token for the registry itself. */
  | { readonly kind: "registry-token"; readonly token: Secret };

export type Environment = Readonly<Record<string, string | undefined>>;

/** A user name and a password as they were typed. */
export function basicCredentials(username: string, password: string): Credentials {
  return { kind: "basic", username, password: new Secret(password) };
}

/**
 * The credentials that `docker login`, `podman login` and CI leave for a registry, in docker's order:
 * DOCKER_AUTH_CONFIG, then config.json (in DOCKER_CONFIG or ~/.docker) with credHelpers, credsStore and auths,
 * then containers/auth.json (REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR). Undefined means anonymous.
 * @throws RegistryError `invalid-credentials` when a file or a helper cannot be used; the signal's reason.
 */
export async function loadCredentials(options: {
  /** Host and port as in a reference. */
  readonly registry: string;
  readonly environment: Environment;
  readonly homeDirectory: string;
  readonly signal?: AbortSignal;
}): Promise<Credentials | undefined> {
  const { registry, environment, homeDirectory, signal } = options;
  const inline = environment["DOCKER_AUTH_CONFIG"];
  if (inline) {
    const found = fromAuths(parseConfig(inline, "DOCKER_AUTH_CONFIG"), registry);
    if (found) return found;
  }
  const directory = environment["DOCKER_CONFIG"] || join(homeDirectory, ".docker");
  const config = await readConfig(join(directory, "config.json"), signal);
  const helper = config && helperFor(config, registry);
  if (helper !== undefined) {
    const server = keysOf(registry)[0] ?? registry;
    const found = await runCredentialHelper({ helper, server, environment, signal });
    if (found) return found;
  }
  const found = config && fromAuths(config, registry);
  if (found) return found;
  for (const file of containersFiles(environment)) {
    const containers = await readConfig(file, signal);
    const credentials = containers && fromAuths(containers, registry);
    if (credentials) return credentials;
  }
  return undefined;
}

const configSchema = z.looseObject({
  auths: z
    .record(
      z.string(),
      z.looseObject({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
        registrytoken: z.string().optional(),
      }),
    )
    .nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});

type DockerConfig = z.infer<typeof configSchema>;

function containersFiles(environment: Environment): string[] {
  const named = environment["REGISTRY_AUTH_FILE"];
  if (named) return [named];
  const runtime = environment["XDG_RUNTIME_DIR"];
  return runtime ? [join(runtime, "containers", "auth.json")] : [];
}

async function readConfig(
  path: string,
  signal: AbortSignal | undefined,
): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(path, { encoding: "utf8", ...(signal ? { signal } : {}) });
  } catch (error) {
    signal?.throwIfAborted();
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw unusable(path, messageOf(error));
  }
  return parseConfig(text, path);
}

/** The reasons never quote the text: it holds secrets. */
function parseConfig(text: string, source: string): DockerConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unusable(source, "it is not JSON");
  }
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map((issue) => issue.path.join("."));
  throw unusable(source, `unexpected value at ${paths.join(", ")}`);
}

function helperFor(config: DockerConfig, registry: string): string | undefined {
  for (const key of keysOf(registry)) {
    const helper = config.credHelpers?.[key];
    if (helper !== undefined) return helper === "" ? undefined : helper;
  }
  return config.credsStore || undefined;
}

function fromAuths(config: DockerConfig, registry: string): Credentials | undefined {
  const auths = Object.entries(config.auths ?? {});
  for (const key of keysOf(registry)) {
    const entry = auths.find(([name]) => name === key || hostOf(name) === key)?.[1];
    if (!entry) continue;
    if (entry.identitytoken)
      return { kind: "identity-token", token: new Secret(entry.identitytoken) };
    if (entry.registrytoken)
      return { kind: "registry-token", token: new Secret(entry.registrytoken) };
    const pair = decodePair(entry.auth) ?? { username: entry.username, password: entry.password };
    if (pair.username && pair.password !== undefined)
      return basicCredentials(pair.username, pair.password);
  }
  return undefined;
}

function decodePair(auth: string | undefined): { username: string; password: string } | undefined {
  if (!auth) return undefined;
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon <= 0) return undefined;
  // docker pads old entries with NUL.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
}

/** The names under which tools keep a registry; Docker Hub's is a URL of its first API. */
function keysOf(registry: string): string[] {
  if (
    registry === dockerHub ||
    registry === "index.docker.io" ||
    registry === "registry-1.docker.io"
  ) {
    return ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"];
  }
  return [registry];
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

function unusable(source: string, reason: string): RegistryError {
  return new RegistryError({
    code: "invalid-credentials",
    message: `${source} cannot be used for credentials: ${reason}`,
    hint: "run docker login again, or correct the file",
  });
}
