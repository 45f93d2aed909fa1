import { z } from "zod";

import type { AdminRoute } from "./route.ts";
import { adminRoutes } from "./surface.ts";

const prefix = "/api/v1";

/** The gateway's part of the platform's OpenAPI document: paths with their operations. */
export function adminPaths(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of adminRoutes) {
    const path = prefix + route.path.replaceAll("+}", "}");
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return paths;
}

function operation(route: AdminRoute): Readonly<Record<string, unknown>> {
  const inPath = [...route.path.matchAll(/\{(\w+)(\+?)\}/g)].map(([, name, rest]) => ({
    name,
    in: "path",
    required: true,
    ...(rest === "+" ? { description: "May have slashes, encoded or not" } : {}),
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(route.query ?? {}).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  }));
  const { body } = route;
  return {
    summary: route.summary,
    description: `Needs a key with the scope ${route.scopes.join(" or ")}.`,
    parameters: [...inPath, ...inQuery],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            content: { "application/json": { schema: z.toJSONSchema(body, { io: "input" }) } },
          },
        }),
    responses: {
      [String(route.status ?? 200)]: { description: "Done" },
      default: {
        description: "What went wrong, and what to do",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}
