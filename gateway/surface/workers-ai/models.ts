import { GatewayError } from "../../errors.ts";
import type { CatalogEntry } from "../../catalog/entry.ts";
import { cloudflareModels, cloudflareTaskNames } from "../../catalog/formats/cloudflare.ts";
import { formatModels } from "../../catalog/formats/format.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendTagged } from "../../http/tagged.ts";
import { findCallable } from "../../prediction/start.ts";
import { mayCall } from "../../keys/authorize.ts";
import { modelReference } from "./aliases.ts";
import { isThirdParty, providerName } from "./envelope.ts";
import { success } from "./errors.ts";

/** Models on one page when the caller names no size, and at most. */
const pageSizeDefault = 50;
const pageSizeMax = 1_000;

/** The entries that a search finds and this key may call. */
function findModels(call: Call, services: Services): readonly CatalogEntry[] {
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
    .filter(
      (entry) =>
        cloudflareTaskNames[entry.task].toLowerCase().includes(task) || entry.task === task,
    )
    .filter((entry) => authorOf(entry).toLowerCase().startsWith(author))
    .filter((entry) => source === "" || sourceMatches(entry, source))
    .filter(({ tags = [] }) => !hidesExperimental || !tags.includes("experimental"))
    .filter(({ tags = [] }) => includesDeprecated || !tags.includes("deprecated"));
}

/** `GET …/ai/models/search`. */
export function searchModels(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const found = findModels(call, services);
  const format = call.query.get("format");
  if (format !== null) {
    sendFormatted(call, found, format);
    return;
  }
  const page = Math.max(1, wholeNumber(call, "page", 1));
  const perPage = Math.min(
    Math.max(1, wholeNumber(call, "per_page", pageSizeDefault)),
    pageSizeMax,
  );
  const result = cloudflareModels(found.slice((page - 1) * perPage, page * perPage));
  sendTagged(call, {
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
  sendTagged(call, {
    body: success({ input: entry.inputSchema, output: entry.outputSchema }),
  });
}

/** `GET …/ai/tasks/search`: the tasks of the models that there are. */
export function searchTasks(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const search = call.query.get("search")?.toLowerCase() ?? "";
  const models = cloudflareModels(callable(call, services));
  const tasks = new Map(models.map(({ task }) => [task.id, task]));
  const result = [...tasks.values()]
    .filter(({ name }) => name.toLowerCase().includes(search))
    .toSorted((a, b) => a.name.localeCompare(b.name));
  sendTagged(call, { body: success(result) });
}

/** `GET …/ai/authors/search`. */
export function searchAuthors(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const search = call.query.get("search")?.toLowerCase() ?? "";
  const names = new Set(callable(call, services).map(authorOf));
  const result = [...names]
    .filter((name) => name.toLowerCase().includes(search))
    .toSorted((a, b) => a.localeCompare(b))
    .map((name) => ({ id: name, name }));
  sendTagged(call, { body: success(result) });
}

/** The models as readers of another catalog know them, all on one page. */
function sendFormatted(call: Call, found: readonly CatalogEntry[], format: string): void {
  const body = formatModels(format, found, { apiUrl: `${call.baseUrl}/v1` });
  if (body === undefined) {
    throw new GatewayError("invalid_request", `There is no format ${format}.`, {
      parameter: "format",
      hint: "There are openrouter, models.dev and cloudflare.",
    });
  }
  sendTagged(call, { body });
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

/** 1 or `byom`: own models; 2: third parties'; or a provider's name. */
function sourceMatches(entry: CatalogEntry, source: string): boolean {
  const number = isThirdParty(entry) ? "2" : "1";
  return source === number || source === providerName(entry).toLowerCase();
}
