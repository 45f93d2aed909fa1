import type { CatalogEntry } from "../../catalog/entry.ts";
import { versionId } from "../../catalog/find.ts";

/** A model in Replicate's shape. */
export function replicateModel(entry: CatalogEntry, baseUrl: string): Record<string, unknown> {
  return {
    url: `${baseUrl}/v1/models/${entry.id}`,
    ...splitId(entry.id),
    description: entry.description,
    visibility: "private",
    is_official: false,
    github_url: null,
    paper_url: null,
    license_url: null,
    cover_image_url: null,
    run_count: 0,
    default_example: entry.example ?? null,
    latest_version: replicateVersion(entry),
  };
}

/** The parts of an id; one with more than two has them all but the last in its owner, so that the two make the path. */
export function splitId(modelId: string): { readonly owner: string; readonly name: string } {
  const slashAt = modelId.lastIndexOf("/");
  return { owner: modelId.slice(0, Math.max(0, slashAt)), name: modelId.slice(slashAt + 1) };
}

/**
 * Models that have every word of a query in their id, task, tags or description, the best ones first: a word in the
 * name counts most.
 */
export function searchModels(
  entries: readonly CatalogEntry[],
  query: string,
): readonly CatalogEntry[] {
  const words = query
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => word !== "");
  const scored = entries.map((entry) => {
    const name = splitId(entry.id).name.toLowerCase();
    const head = [entry.id, entry.name ?? "", entry.task, ...(entry.tags ?? [])]
      .join(" ")
      .toLowerCase();
    const description = entry.description.toLowerCase();
    const scores = words.map((word) =>
      name.includes(word) ? 3 : head.includes(word) ? 2 : description.includes(word) ? 1 : 0,
    );
    const isHit = scores.every((score) => score > 0);
    return { entry, score: isHit ? scores.reduce<number>((sum, score) => sum + score, 1) : 0 };
  });
  const hits = scored.filter(({ score }) => score > 0).toSorted((a, b) => b.score - a.score);
  return hits.map(({ entry }) => entry);
}

/** A version in Replicate's shape; its id is the image digest's hex. */
export function replicateVersion(entry: CatalogEntry): Record<string, unknown> {
  return {
    id: versionId(entry),
    created_at: entry.createdAt,
    cog_version: null,
    openapi_schema: openApiDocument(entry),
  };
}

/** The OpenAPI document of a model as its container serves it: what clients read is under `components.schemas`. */
export function openApiDocument(entry: CatalogEntry): Record<string, unknown> {
  const { components, ...input } = entry.inputSchema as { readonly components?: unknown };
  const { components: outputComponents, ...output } = entry.outputSchema as {
    readonly components?: unknown;
  };
  const schemas = { ...schemasOf(components), ...schemasOf(outputComponents) };
  const answer = {
    description: "Successful Response",
    content: {
      "application/json": { schema: { $ref: "#/components/schemas/PredictionResponse" } },
    },
  };
  const body = {
    required: true,
    content: { "application/json": { schema: { $ref: "#/components/schemas/PredictionRequest" } } },
  };
  return {
    openapi: "3.0.2",
    info: { title: entry.id, version: String(entry.version) },
    paths: {
      "/predictions": {
        post: {
          operationId: "predict_predictions_post",
          ...(entry.isStreaming ? { "x-cog-streaming": true } : {}),
          requestBody: body,
          responses: { "200": answer },
        },
      },
    },
    components: {
      schemas: {
        ...schemas,
        Input: input,
        Output: output,
        PredictionRequest: {
          type: "object",
          properties: {
            id: { type: "string" },
            input: { $ref: "#/components/schemas/Input" },
          },
        },
        PredictionResponse: {
          type: "object",
          properties: {
            id: { type: "string" },
            status: { type: "string" },
            output: { $ref: "#/components/schemas/Output" },
            error: { type: "string" },
            logs: { type: "string" },
            metrics: { type: "object" },
          },
        },
      },
    },
  };
}

function schemasOf(components: unknown): Record<string, unknown> {
  if (typeof components !== "object" || components === null || !("schemas" in components))
    return {};
  return { ...(components.schemas as Record<string, unknown>) };
}
