import { createHash } from "node:crypto";

import { GatewayError } from "../../errors.ts";
import type { CatalogEntry, Task } from "../../catalog/entry.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { findCallable } from "../../prediction/start.ts";
import { mayCall } from "../../keys/authorize.ts";
import { modelReference } from "./aliases.ts";
import { providerName } from "./envelope.ts";
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

/** `source` of a model, as the search takes and gives it: own models, and third parties'. */
const sources = { own: 1, thirdParty: 2 } as const;

/** The entries that a search finds, for `format=openrouter` as for the catalog's own form. */
export function findModels(call: Call, services: Services): readonly CatalogEntry[] {
  const { query } = call;
  const text = (name: string): string => query.get(name)?.trim().toLowerCase() ?? "";
  const [search, task, author, source] = [
    text("search"),
    text("task"),
    text("author"),
    text("source"),
  ];
  const hidesExperimental = query.get("hide_experimental") === "true";
  const includesDeprecated = query.get("include_deprecated") === "true";
  return services.catalog
    .list()
    .filter(({ id }) => mayCall(call.key, id))
    .filter(({ id, name = "", description }) =>
      `${id} ${name} ${description}`.toLowerCase().includes(search),
    )
    .filter((entry) => taskNames[entry.task].toLowerCase().includes(task) || entry.task === task)
    .filter((entry) => authorOf(entry).toLowerCase().startsWith(author))
    .filter((entry) => source === "" || sourceMatches(entry, source))
    .filter(({ tags = [] }) => !hidesExperimental || !tags.includes("experimental"))
    .filter(({ tags = [] }) => includesDeprecated || !tags.includes("deprecated"));
}

/** `GET …/ai/models/search`. */
export function searchModels(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const found = findModels(call, services);
  const page = Math.max(1, wholeNumber(call, "page", 1));
  const perPage = Math.min(
    Math.max(1, wholeNumber(call, "per_page", pageSizeDefault)),
    pageSizeMax,
  );
  const result = found.slice((page - 1) * perPage, page * perPage).map(modelBody);
  sendJson(call.response, {
    body: {
      ...success(result),
      result_info: {
        count: result.length,
        page,
        per_page: perPage,
        total_count: found.length,
        total_pages: Math.ceil(found.length / perPage),
      },
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
  const { entry } = findCallable(call, services, modelReference(services.catalog, model));
  sendJson(call.response, {
    body: success({ input: entry.inputSchema, output: entry.outputSchema }),
  });
}

/** `GET …/ai/tasks/search`: the tasks of the models that there are. */
export function searchTasks(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const search = call.query.get("search")?.toLowerCase() ?? "";
  const tasks = new Set(callable(call, services).map(({ task }) => task));
  const result = [...tasks]
    .map(taskBody)
    .filter(({ name }) => name.toLowerCase().includes(search))
    .toSorted((a, b) => a.name.localeCompare(b.name));
  sendJson(call.response, { body: success(result) });
}

/** `GET …/ai/authors/search`. */
export function searchAuthors(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const search = call.query.get("search")?.toLowerCase() ?? "";
  const names = new Set(callable(call, services).map(authorOf));
  const result = [...names]
    .filter((name) => name.toLowerCase().includes(search))
    .toSorted((a, b) => a.localeCompare(b))
    .map((name) => ({ id: uuidOf(`author:${name}`), name }));
  sendJson(call.response, { body: success(result) });
}

function callable(call: Call, services: Services): readonly CatalogEntry[] {
  return services.catalog.list().filter(({ id }) => mayCall(call.key, id));
}

function wholeNumber(call: Call, name: string, fallback: number): number {
  const value = Math.trunc(Number(call.query.get(name) ?? fallback));
  return Number.isFinite(value) && value > 0 ? value : fallback;
}

/** `moonshotai` of `@cf/moonshotai/kimi-k2.5`, `acme` of `acme/chat`. */
function authorOf({ id }: CatalogEntry): string {
  const [first = "", second] = id.split("/");
  return first.startsWith("@") && second !== undefined ? second : first;
}

function sourceMatches(entry: CatalogEntry, source: string): boolean {
  return source === String(sourceOf(entry)) || source === providerName(entry).toLowerCase();
}

function sourceOf(entry: CatalogEntry): number {
  return providerName(entry) === "byom" ? sources.own : sources.thirdParty;
}

function modelBody(entry: CatalogEntry): Record<string, unknown> {
  return {
    id: uuidOf(entry.id),
    source: sourceOf(entry),
    name: entry.id,
    description: entry.description,
    task: taskBody(entry.task),
    created_at: entry.createdAt,
    tags: entry.tags ?? [],
    properties: properties(entry),
    schema: { input: entry.inputSchema, output: entry.outputSchema },
  };
}

/** As Cloudflare lists them: texts, but for the prices. */
function properties(entry: CatalogEntry): readonly unknown[] {
  const { hardware, version, digest, contextLength, capabilities = [], prices = [] } = entry;
  const has = (name: "tools" | "reasoning" | "vision"): unknown =>
    capabilities.includes(name) ? "true" : undefined;
  const listed: readonly (readonly [string, unknown])[] = [
    ["provider", providerName(entry)],
    ["hardware", hardware === "" ? undefined : hardware],
    ["version", String(version)],
    ["digest", digest],
    ["context_window", contextLength === undefined ? undefined : String(contextLength)],
    ["function_calling", has("tools")],
    ["reasoning", has("reasoning")],
    ["vision", has("vision")],
    [
      "price",
      prices.length === 0
        ? undefined
        : prices.map(({ unit, per, usd }) => ({
            unit: per === 1 ? `per ${unit}` : `per ${count(per)} ${unit.replaceAll("-", " ")}s`,
            price: Number(usd),
            currency: "USD",
          })),
    ],
  ];
  return listed.flatMap(([property_id, value]) =>
    value === undefined ? [] : [{ property_id, value }],
  );
}

function count(per: number): string {
  if (per === 1_000_000) return "M";
  return per === 1_000 ? "K" : String(per);
}

function taskBody(task: Task): {
  readonly id: string;
  readonly name: string;
  readonly description: string;
} {
  return { id: uuidOf(`task:${task}`), name: taskNames[task], description: "" };
}

/** A stable UUID for a name, as clients expect an id of that form (RFC 9562, version 8: own scheme). */
function uuidOf(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
