import type { IncomingMessage, ServerResponse } from "node:http";

import type { z } from "zod";

import type { Runtime } from "../runtime.ts";
import type { KeyScope } from "../store/keys.ts";
import type { KeyOwner, KeyRing } from "./keys.ts";

/** What a handler gets: the parts of the path by name, who asks, and a signal that fires when the client is gone. */
export interface ApiCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly owner: KeyOwner;
  readonly signal: AbortSignal;
  readonly runtime: Runtime;
  readonly keys: KeyRing;
}

/** One operation of the admin API: what serves it is also what documents it. */
export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below `/api/v1`, with `{name}` for a segment. */
  readonly path: string;
  readonly summary: string;
  /** Scopes of which the key must have one; `admin` may do everything. */
  readonly scope: Exclude<KeyScope, "call">;
  readonly body?: z.ZodType;
  readonly status?: number;
  /** The answer's body or a promise of it; undefined when the handler has written the response itself. */
  handle(call: ApiCall): unknown;
}

/** The names in the path with their values, or undefined when it is another path. */
export function matchPath(
  pattern: string,
  path: string,
): Readonly<Record<string, string>> | undefined {
  const expected = pattern.split("/");
  const segments = path.split("/");
  if (expected.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of expected.entries()) {
    const segment = segments[index] ?? "";
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined && part !== segment) return undefined;
    if (name !== undefined) {
      if (segment === "") return undefined;
      parameters[name] = decodeSegment(segment);
    }
  }
  return parameters;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
