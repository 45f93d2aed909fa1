import { z } from "zod";

import type { JsonObject } from "./version.ts";

/** What the runtime reads from the labels of a Cog image. */
export interface ModelInterface {
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject;
  readonly isStreaming: boolean;
  /** `concurrency.max` of cog.yaml; 1 when it says nothing. */
  readonly concurrency: number;
}

const openapiSchema = z.object({
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
});
const configSchema = z.object({
  concurrency: z.object({ max: z.number().int().positive() }).optional(),
});

/** A schema that refers to itself ends here; Cog writes at most a few levels. */
const depthMax = 32;

/** Reads `run.cog.openapi_schema` and `run.cog.config`; an image without them accepts any input. */
export function readModelInterface(labels: Readonly<Record<string, string>>): ModelInterface {
  const document = openapiSchema.safeParse(parseJson(labels["run.cog.openapi_schema"])).data;
  const config = configSchema.safeParse(parseJson(labels["run.cog.config"])).data;
  const schemas = document?.components.schemas ?? {};
  return {
    inputSchema: resolve(schemas["Input"], schemas),
    outputSchema: resolve(schemas["Output"], schemas),
    isStreaming:
      document?.paths?.["/predictions"]?.["post"] === undefined
        ? false
        : isMarkedStreaming(document.paths["/predictions"]["post"]),
    concurrency: config?.concurrency?.max ?? 1,
  };
}

function isMarkedStreaming(operation: unknown): boolean {
  return (operation as JsonObject | null)?.["x-cog-streaming"] === true;
}

function resolve(schema: unknown, schemas: JsonObject): JsonObject {
  const resolved = inline(schema, schemas, 0);
  return typeof resolved === "object" && resolved !== null ? (resolved as JsonObject) : {};
}

/** Puts each `#/components/schemas/NAME` where it is referred to: the schema then stands alone. */
function inline(value: unknown, schemas: JsonObject, depth: number): unknown {
  if (depth > depthMax || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => inline(item, schemas, depth + 1));
  const reference = (value as JsonObject)["$ref"];
  if (typeof reference === "string") {
    const name = /^#\/components\/schemas\/(.+)$/.exec(reference)?.[1];
    return name === undefined ? value : inline(schemas[name], schemas, depth + 1);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, inline(item, schemas, depth + 1)]),
  );
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
