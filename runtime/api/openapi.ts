import { z } from "zod";

import type { Route } from "./route.ts";

/** The admin API's description, made from the routes that serve it. */
export function openapiDocument(
  routes: readonly Route[],
  prefix: string,
  otherPaths: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const operations = (paths[prefix + route.path] ??= {});
    operations[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "byom admin API", version: "1" },
    paths: { ...paths, ...otherPaths },
    components: {
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
      schemas: { Error: errorSchema },
    },
    security: [{ key: [] }],
  };
}

const errorSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      properties: {
        code: { type: "string" },
        message: { type: "string" },
        hint: { type: "string" },
      },
    },
  },
};

function operation(route: Route): Readonly<Record<string, unknown>> {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const error = {
    description: "What went wrong, and what to do",
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
  return {
    summary: route.summary,
    description: `Needs a key with the scope ${route.scope === "admin" ? "admin" : "deploy or admin"}.`,
    parameters: names.map((name) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    })),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            content: { "application/json": { schema: z.toJSONSchema(route.body) } },
          },
        }),
    responses: { [String(route.status ?? 200)]: { description: "Done" }, default: error },
  };
}
