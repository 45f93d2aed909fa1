import { findModel } from "../../catalog/find.ts";
import type { CatalogEntry } from "../../catalog/entry.ts";
import {
  allowMethods,
  noSuchPath,
  type Call,
  type Services,
  type Surface,
} from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { replicateModel } from "../replicate/models.ts";
import { chatCompletions } from "./chat.ts";
import { openAiError } from "./errors.ts";

/** OpenAI's API under `/v1`; it also owns every `/v1` path that no other surface knows. */
export function createOpenAiSurface(services: Services): Surface {
  return {
    name: "openai",
    owns: (segments) => segments[0] === "v1",
    async handle(call) {
      const [, resource, ...rest] = call.segments;
      if (resource === "chat" && rest.length === 1 && rest[0] === "completions") {
        await chatCompletions(call, services);
      } else if (resource === "models" && rest.length === 0) {
        listModels(call, services);
      } else if (resource === "models" && rest.length === 1) {
        allowMethods(call, "GET");
        const { entry } = findModel(services.catalog, rest[0] ?? "");
        sendJson(call.response, { body: modelBody(entry) });
      } else {
        throw noSuchPath(call);
      }
    },
    renderError: (error) => ({ status: error.status, body: openAiError(error) }),
  };
}

/** `GET /v1/models` is OpenAI's and Replicate's path alike: one document holds both lists. */
function listModels(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const entries = services.catalog.list();
  sendJson(call.response, {
    body: {
      object: "list",
      data: entries.map(modelBody),
      previous: null,
      next: null,
      results: entries.map((entry) => replicateModel(entry, call.baseUrl)),
    },
  });
}

function modelBody(entry: CatalogEntry): Record<string, unknown> {
  return {
    id: entry.id,
    object: "model",
    created: Math.floor(Date.parse(entry.createdAt) / 1000),
    owned_by: entry.id.split("/")[0] ?? "byom",
  };
}
