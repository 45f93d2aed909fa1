import { findModel } from "../../catalog/find.ts";
import type { CatalogEntry } from "../../catalog/entry.ts";
import { formatModels, unknownFormat } from "../../catalog/formats/format.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendTagged } from "../../http/tagged.ts";
import { assertMayCall, mayCall } from "../../keys/authorize.ts";
import { anthropicModel, anthropicModels, isAnthropicCall } from "../anthropic/models.ts";
import { replicateModel } from "../replicate/models.ts";

/**
 * `GET /v1/models`, those that the key may call. It is OpenAI's and Replicate's path alike: one document holds both
 * lists; Anthropic's clients, told apart by a header, get theirs. `?format=` gives the list as another catalog's readers
 * know it.
 */
export function listModels(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const entries = services.catalog.list().filter((entry) => mayCall(call.key, entry.id));
  const format = call.query.get("format");
  if (format !== null && format !== "openai") {
    const body = formatModels(format, entries, { apiUrl: `${call.baseUrl}/v1` });
    if (body === undefined) throw unknownFormat(format);
    sendTagged(call, { body });
    return;
  }
  if (isAnthropicCall(call)) {
    sendTagged(call, { body: anthropicModels(entries, call.query) });
    return;
  }
  sendTagged(call, {
    body: {
      object: "list",
      data: entries.map(modelBody),
      previous: null,
      next: null,
      results: entries.map((entry) => replicateModel(entry, call.baseUrl)),
    },
  });
}

/** `GET /v1/models/{id}`; an id has slashes, encoded or not. */
export function showModel(call: Call, services: Services, id: string): void {
  allowMethods(call, "GET");
  const { entry } = findModel(services.catalog, id);
  assertMayCall(call.key, entry.id);
  sendTagged(call, { body: isAnthropicCall(call) ? anthropicModel(entry) : modelBody(entry) });
}

function modelBody(entry: CatalogEntry): Record<string, unknown> {
  return {
    id: entry.id,
    object: "model",
    created: Math.floor(Date.parse(entry.createdAt) / 1000),
    owned_by: entry.id.split("/")[0] ?? "byom",
  };
}
