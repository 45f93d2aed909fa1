import { RegistryError } from "../errors.ts";
import { parseDigest, type Digest } from "./digest.ts";

/** `registry/repository:tag@digest`, taken apart. */
export interface Reference {
  /** Host and port, such as `localhost:5000` or `docker.io`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The registry of names without one, and the host that really serves it. */
export const dockerHub = "docker.io";
const dockerHubAliases = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

// distribution-spec 1.1, "Pulling manifests": the grammar of <name> and <reference>.
const repositoryPattern =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const registryPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;

/** Longest `registry/repository`: the limit that Docker and the spec recommend, in characters. */
const nameLengthMax = 255;

/**
 * Reads a reference with Docker's short names: `alpine` is `docker.io/library/alpine`, and the first part
 * is a registry when it holds a dot or a colon or is `localhost`. A missing tag stays missing.
 * @throws RegistryError `invalid-reference`, `invalid-digest`.
 */
export function parseReference(
  text: string,
  options: { readonly defaultRegistry?: string } = {},
): Reference {
  const { name, tag, digest } = splitReference(text);
  const { registry, repository } = splitName(name, options.defaultRegistry ?? dockerHub);
  if (!registryPattern.test(registry))
    throw invalid(text, `${JSON.stringify(registry)} is no host`);
  if (!repositoryPattern.test(repository)) {
    throw invalid(text, "a repository is lower-case letters, digits and single separators");
  }
  if (registry.length + 1 + repository.length > nameLengthMax) {
    throw invalid(text, `the name is longer than ${nameLengthMax} characters`);
  }
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, "the tag is not well-formed");
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: parseDigest(digest) }),
  };
}

/** The full form: `registry/repository[:tag][@digest]`. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** @throws RegistryError `invalid-reference` when the name could leave its place in a URL. */
export function checkRepository(repository: string): string {
  if (repositoryPattern.test(repository) && repository.length <= nameLengthMax) return repository;
  throw invalid(repository, "a repository is lower-case letters, digits and single separators");
}

/** @throws RegistryError `invalid-reference` for anything but a tag or a digest. */
export function checkTagOrDigest(reference: string): string {
  if (reference.includes(":")) return parseDigest(reference);
  if (tagPattern.test(reference)) return reference;
  throw invalid(reference, "expected a tag or a digest");
}

function splitReference(text: string): { name: string; tag?: string; digest?: string } {
  const at = text.indexOf("@");
  const beforeDigest = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? {} : { digest: text.slice(at + 1) };
  const colon = beforeDigest.lastIndexOf(":");
  if (colon <= beforeDigest.lastIndexOf("/")) return { name: beforeDigest, ...digest };
  return { name: beforeDigest.slice(0, colon), tag: beforeDigest.slice(colon + 1), ...digest };
}

function splitName(
  name: string,
  defaultRegistry: string,
): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isRegistry = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const registry = isRegistry ? first : defaultRegistry;
  const repository = isRegistry ? name.slice(slash + 1) : name;
  if (!dockerHubAliases.has(registry)) return { registry, repository };
  return {
    registry: dockerHub,
    repository: repository.includes("/") ? repository : `library/${repository}`,
  };
}

function invalid(text: string, reason: string): RegistryError {
  return new RegistryError({
    code: "invalid-reference",
    message: `${JSON.stringify(text.slice(0, 300))} is not an image reference: ${reason}`,
    hint: "write it like registry.example.com/owner/name:tag",
  });
}
