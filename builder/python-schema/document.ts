import type { OpenApiDocument } from "../plan/plan.ts";
import { type JsonSchema, titleOf } from "./json-schema.ts";
import type { Mode } from "./target.ts";

/** One half of the document: what predicting, or training, takes and gives. */
export interface Operation {
  readonly mode: Mode;
  readonly input: JsonSchema;
  readonly enumerations: ReadonlyMap<string, JsonSchema>;
  readonly output: JsonSchema;
  readonly isStreaming: boolean;
}

/** Components that every document has: no enumeration may take their names. */
export function isComponentName(name: string): boolean {
  return componentNames.has(name);
}

const componentNames: ReadonlySet<string> = new Set([
  "Input",
  "Output",
  "PredictionRequest",
  "PredictionResponse",
  "TrainingInput",
  "TrainingOutput",
  "TrainingRequest",
  "TrainingResponse",
  "Status",
  "HTTPValidationError",
  "ValidationError",
]);

/**
 * The OpenAPI 3.0.2 document in the shape that cog 0.22 writes to `/src/.cog/openapi_schema.json`: same components,
 * same paths, same order of keys, because scripts compare its text.
 */
export function createDocument({
  operations,
  cogVersion,
}: {
  /** Predicting first, then training. */
  readonly operations: readonly Operation[];
  readonly cogVersion: string;
}): OpenApiDocument {
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, unknown> = {};
  for (const operation of operations) {
    for (const [name, schema] of Object.entries(componentsOf(operation))) schemas[name] ??= schema;
    for (const [path, item] of Object.entries(pathsOf(operation))) paths[path] ??= item;
  }
  const document = {
    components: { schemas },
    info: { title: "Cog", version: cogVersion },
    openapi: "3.0.2",
    paths,
  };
  return sortKeys(document) as OpenApiDocument;
}

interface OperationNames {
  readonly input: string;
  readonly output: string;
  readonly request: string;
  readonly response: string;
}

function namesOf(mode: Mode): OperationNames {
  const prefix = mode === "train" ? "Training" : "Prediction";
  return {
    input: mode === "train" ? "TrainingInput" : "Input",
    output: mode === "train" ? "TrainingOutput" : "Output",
    request: `${prefix}Request`,
    response: `${prefix}Response`,
  };
}

function componentsOf(operation: Operation): Record<string, unknown> {
  const names = namesOf(operation.mode);
  const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
  const id = { title: "Id", type: "string" };
  const time = (title: string): JsonSchema => ({ format: "date-time", title, type: "string" });
  return {
    [names.input]: operation.input,
    [names.output]: operation.output,
    ...Object.fromEntries(operation.enumerations),
    [names.request]: {
      properties: sortKeys({ id, input: reference(names.input) }),
      title: names.request,
      type: "object",
    },
    [names.response]: {
      properties: {
        completed_at: time("Completed At"),
        created_at: time("Created At"),
        error: { title: "Error", type: "string" },
        id,
        input: reference(names.input),
        logs: { title: "Logs", type: "string" },
        metrics: { title: "Metrics", type: "object" },
        output: reference(names.output),
        started_at: time("Started At"),
        status: { title: "Status", type: "string" },
        version: { title: "Version", type: "string" },
      },
      title: names.response,
      type: "object",
    },
    ...sharedComponents,
  };
}

const sharedComponents: Record<string, unknown> = {
  Status: {
    description: "An enumeration.",
    enum: ["starting", "processing", "succeeded", "canceled", "failed"],
    title: "Status",
    type: "string",
  },
  HTTPValidationError: {
    properties: {
      detail: {
        items: { $ref: "#/components/schemas/ValidationError" },
        title: "Detail",
        type: "array",
      },
    },
    title: "HTTPValidationError",
    type: "object",
  },
  ValidationError: {
    properties: {
      loc: {
        items: { anyOf: [{ type: "string" }, { type: "integer" }] },
        title: "Location",
        type: "array",
      },
      msg: { title: "Message", type: "string" },
      type: { title: "Error Type", type: "string" },
    },
    required: ["loc", "msg", "type"],
    title: "ValidationError",
    type: "object",
  },
};

function response(description: string, schema: JsonSchema): JsonSchema {
  return { content: { "application/json": { schema } }, description };
}

const anyResponse: JsonSchema = response("Successful Response", {});
const invalidResponse: JsonSchema = response("Validation Error", {
  $ref: "#/components/schemas/HTTPValidationError",
});

function pathsOf(operation: Operation): Record<string, unknown> {
  const isTrain = operation.mode === "train";
  const names = namesOf(operation.mode);
  const noun = isTrain ? "training" : "prediction";
  const verb = isTrain ? "train" : "predict";
  return {
    "/": getPath("Root", "root__get"),
    "/health-check": getPath("Healthcheck", "healthcheck_health_check_get"),
    [`/${noun}s`]: {
      post: {
        description: `Run a single ${noun} on the model`,
        operationId: `${verb}_${noun}s_post`,
        requestBody: {
          content: {
            "application/json": { schema: { $ref: `#/components/schemas/${names.request}` } },
          },
        },
        responses: {
          "200": response("Successful Response", {
            $ref: `#/components/schemas/${names.response}`,
          }),
          "422": invalidResponse,
        },
        summary: isTrain ? "Train" : "Predict",
        ...(operation.isStreaming && !isTrain ? { "x-cog-streaming": true } : {}),
      },
    },
    [`/${noun}s/{${noun}_id}/cancel`]: {
      post: {
        operationId: `cancel_${noun}s__${noun}_id__cancel_post`,
        parameters: [
          {
            in: "path",
            name: `${noun}_id`,
            required: true,
            schema: { title: titleOf(`${noun}_id`), type: "string" },
          },
        ],
        responses: { "200": anyResponse, "422": invalidResponse },
        summary: "Cancel",
      },
    },
  };
}

function getPath(summary: string, operationId: string): JsonSchema {
  return { get: { operationId, responses: { "200": anyResponse }, summary } };
}

/** Maps whose order means something: an input's place in a form, a component's place in the file. */
const orderedMaps: ReadonlySet<string> = new Set(["properties", "schemas", "paths"]);

/** Alphabetical keys throughout, as Go's encoder writes them, except in the maps whose order is kept. */
function sortKeys(value: unknown, isOrdered = false): unknown {
  if (Array.isArray(value)) return value.map((item) => sortKeys(item));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value as Readonly<Record<string, unknown>>).map(
    ([key, item]) => [key, sortKeys(item, !isOrdered && orderedMaps.has(key))] as const,
  );
  if (isOrdered) return Object.fromEntries(entries);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
