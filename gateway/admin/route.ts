import type { z } from "zod";

import type { GatewayCatalog } from "../catalog/catalog.ts";
import type { StartHistory } from "../catalog/starts.ts";
import type { CatalogStore } from "../catalog/store/catalog-store.ts";
import type { Call, Services } from "../http/call.ts";
import type { Scope } from "../keys/keys.ts";
import type { ProviderStore } from "../upstream/provider/provider-store.ts";

/** What the administration of catalog and providers works with. */
export interface Administration {
  readonly catalog: GatewayCatalog;
  readonly store: CatalogStore;
  readonly providers: ProviderStore;
}

export interface AdminCall {
  readonly call: Call;
  readonly services: Services;
  readonly administration: Administration;
  readonly starts: StartHistory;
  /** The parts of the path by name. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** One operation under `/api/v1`. */
export interface AdminRoute {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `{name}` is one segment, `{name+}` the rest of the path, slashes included. */
  readonly path: string;
  readonly summary: string;
  /** Of which the key must have one; `admin` may do everything. */
  readonly scopes: readonly Scope[];
  /** Names of the query's parameters with what they do. */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  readonly status?: number;
  /** The answer's body, or a promise of it; undefined: no content, unless the handler has answered itself. */
  handle(call: AdminCall): unknown;
}

/** The parts of a path by name, or undefined when it is another path. */
export function matchPath(
  pattern: string,
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const parts = pattern.split("/").slice(1);
  const parameters: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const [, name, rest] = /^\{(\w+)(\+?)\}$/.exec(part) ?? [];
    const segment = segments[index];
    if (segment === undefined) return undefined;
    if (name === undefined) {
      if (segment !== part) return undefined;
    } else if (rest === "+") {
      return { ...parameters, [name]: segments.slice(index).join("/") };
    } else {
      parameters[name] = segment;
    }
  }
  return parts.length === segments.length ? parameters : undefined;
}
