import { createHash } from "node:crypto";

import { GatewayError } from "../../errors.ts";
import type { CatalogEntry, Task } from "../../catalog/entry.ts";
import { findModel } from "../../catalog/find.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { success } from "./errors.ts";

/** Models on one page when the caller names no size, and at most. */
const pageSizeDefault = 50;
const pageSizeMax = 1_000;

const taskNames: Readonly<Record<Task, string>> = {
  "text-generation": "Text Generation",
  "image-to-text": "Image-to-Text",
  "text-to-image": "Text-to-Image",
  "image-to-image": "Image-to-Image",
  "text-to-speech": "Text-to-Speech",
  "automatic-speech-recognition": "Automatic Speech Recognition",
  "text-to-video": "Text-to-Video",
  "image-to-video": "Image-to-Video",
  "text-embeddings": "Text Embeddings",
  other: "Other",
};

/** `GET …/ai/models/search`. */
export function searchModels(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const { query } = call;
  const search = query.get("search")?.toLowerCase() ?? "";
  const task = query.get("task")?.toLowerCase() ?? "";
  const author = query.get("author")?.toLowerCase() ?? "";
  const found = services.catalog
    .list()
    .filter(({ id, description }) => `${id} ${description}`.toLowerCase().includes(search))
    .filter((entry) => taskNames[entry.task].toLowerCase().includes(task) || entry.task === task)
    .filter(({ id }) => id.toLowerCase().startsWith(author));
  const page = Math.max(1, Number(query.get("page") ?? 1) || 1);
  const asked = Number(query.get("per_page") ?? pageSizeDefault) || pageSizeDefault;
  const perPage = Math.min(Math.max(1, asked), pageSizeMax);
  const result = found.slice((page - 1) * perPage, page * perPage).map(modelBody);
  sendJson(call.response, {
    body: {
      ...success(result),
      result_info: { count: result.length, page, per_page: perPage, total_count: found.length },
    },
  });
}

/** `GET …/ai/models/schema?model=`. */
export function modelSchema(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const model = call.query.get("model");
  if (model === null) {
    throw new GatewayError("invalid_request", "model is required.", { parameter: "model" });
  }
  const { entry } = findModel(services.catalog, model);
  sendJson(call.response, {
    body: success({ input: entry.inputSchema, output: entry.outputSchema }),
  });
}

function modelBody(entry: CatalogEntry): Record<string, unknown> {
  return {
    id: uuidOf(entry.id),
    source: 1,
    name: entry.id,
    description: entry.description,
    task: { id: uuidOf(`task:${entry.task}`), name: taskNames[entry.task], description: "" },
    created_at: entry.createdAt,
    tags: [],
    properties: [
      { property_id: "hardware", value: entry.hardware },
      { property_id: "version", value: String(entry.version) },
      { property_id: "digest", value: entry.digest },
    ],
    schema: { input: entry.inputSchema, output: entry.outputSchema },
  };
}

/** A stable UUID for a name, as clients expect an id of that form (RFC 9562, version 8: own scheme). */
function uuidOf(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
