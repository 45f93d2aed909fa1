import { GatewayError } from "../errors.ts";
import type { Candidate } from "../route/candidate.ts";
import type { RoutePolicy } from "../route/policy.ts";
import type { Catalog, CatalogEntry } from "./entry.ts";

/** A model as a caller named it, with the version when one was pinned. */
export interface FoundModel {
  readonly entry: CatalogEntry;
  /** Only when the caller pinned one; otherwise the deployment's traffic split decides. */
  readonly version?: number;
  /** As the caller named it; absent: the entry's id. */
  readonly requestedModel?: string;
  /** `dynamic/NAME`, when a route led here. */
  readonly route?: string;
  /** What can answer, in order; absent: the entry's own upstreams. */
  readonly candidates?: readonly Candidate[];
  /** What the route says, over the gateway's defaults. */
  readonly policy?: Partial<RoutePolicy>;
}

/**
 * Finds `owner/name`, `owner/name:VERSION` with a version id (the digest's 64 hex digits) or a version number.
 * @throws {GatewayError} `model_not_found`
 */
export function findModel(catalog: Catalog, reference: string): FoundModel {
  // A third party's id may have a colon itself, such as a tag of Ollama's.
  const exact = catalog.get(reference);
  if (exact !== undefined) return { entry: exact };
  const colonAt = reference.indexOf(":");
  if (colonAt === -1) throw notFound(catalog, reference);
  const id = reference.slice(0, colonAt);
  const entry = catalog.get(id);
  if (entry === undefined) throw notFound(catalog, reference);
  const wanted = reference.slice(colonAt + 1).replace(/^sha256:/, "");
  for (const candidate of versionsOf(catalog, entry)) {
    if (versionId(candidate) === wanted || String(candidate.version) === wanted) {
      return { entry: candidate, version: candidate.version };
    }
  }
  throw new GatewayError("model_not_found", `Model ${id} has no version ${wanted}.`, {
    parameter: "version",
  });
}

/** Finds the model one of whose versions has this id (64 hex digits), or by the reference forms of `findModel`. */
export function findVersion(catalog: Catalog, reference: string): FoundModel {
  // An alias may have no slash.
  if (reference.includes("/") || catalog.get(reference) !== undefined) {
    return findModel(catalog, reference);
  }
  const wanted = reference.replace(/^sha256:/, "");
  for (const entry of catalog.list()) {
    for (const candidate of versionsOf(catalog, entry)) {
      if (versionId(candidate) === wanted) return { entry: candidate, version: candidate.version };
    }
  }
  throw new GatewayError("model_not_found", `There is no version ${reference}.`, {
    parameter: "version",
  });
}

/** The id of a version: the hex digits of the image's digest. */
export function versionId(entry: CatalogEntry): string {
  return entry.digest.replace(/^sha256:/, "");
}

/** All versions that can be called, the deployed one first. */
export function versionsOf(catalog: Catalog, entry: CatalogEntry): readonly CatalogEntry[] {
  return catalog.versions?.(entry.id) ?? [entry];
}

function notFound(catalog: Catalog, reference: string): GatewayError {
  const known = catalog.list().map((entry) => entry.id);
  const hint =
    known.length === 0
      ? "No model is deployed yet."
      : `Models: ${known.slice(0, 10).join(", ")}${known.length > 10 ? ", …" : ""}.`;
  return new GatewayError("model_not_found", `There is no model ${reference}.`, {
    parameter: "model",
    hint,
  });
}
