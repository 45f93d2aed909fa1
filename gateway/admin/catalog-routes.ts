import { z } from "zod";

import { matches, viewModel, type CatalogSources } from "../catalog/view.ts";
import type { CatalogEntry } from "../catalog/entry.ts";
import { formatModels, unknownFormat } from "../catalog/formats/format.ts";
import { ownMetadataSchema } from "../catalog/own-metadata.ts";
import { readSheet } from "../catalog/sheet/read-sheet.ts";
import { upstreamKey } from "../catalog/sheet/sheet.ts";
import { modelIdSchema, thirdPartyBodySchema } from "../catalog/third-party.ts";
import { GatewayError } from "../errors.ts";
import { assertMayCall, mayCall } from "../keys/authorize.ts";
import type { Scope } from "../keys/keys.ts";
import { adapterIds } from "../upstream/provider/provider-config.ts";
import { dynamicPrefix } from "../route/dynamic/document.ts";
import { routeEntry } from "../route/dynamic/entry.ts";
import { check, readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

const readers: readonly Scope[] = ["call", "deploy", "admin"];
/** models.dev's whole list is some megabytes. */
const sheetBytesMax: number = 64 * 1024 * 1024;

const refreshBody: z.ZodType<{ readonly source: string; readonly document: unknown }> =
  z.strictObject({ source: z.string().min(1).max(2_048), document: z.unknown() });

export const catalogRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/catalog/models",
    summary: "The models of the catalog that the key may call, own and third parties'",
    scopes: readers,
    query: {
      search: "words in id, name, description and tags",
      task: "such as text-generation",
      author: "such as moonshotai",
      source: "own, added, listed, bundled, or the name of a provider",
      format: "openrouter, models.dev or cloudflare; default: byom's own",
      schemas: "true: with input and output schema",
    },
    handle: listModels,
  },
  {
    method: "GET",
    path: "/catalog/models/{model+}",
    summary: "One model, by id or alias, with its schemas",
    scopes: readers,
    handle: showModel,
  },
  {
    method: "PUT",
    path: "/catalog/models/{model+}",
    summary: "Adds a third party's model, or replaces it; it can be called at once",
    scopes: ["admin"],
    body: thirdPartyBodySchema,
    handle: putModel,
  },
  {
    method: "DELETE",
    path: "/catalog/models/{model+}",
    summary: "Removes a third party's model; a bundled one stays hidden until it is restored",
    scopes: ["admin"],
    handle: removeModel,
  },
  {
    method: "GET",
    path: "/catalog/hidden",
    summary: "Bundled models that were removed",
    scopes: ["admin", "deploy"],
    handle: ({ administration }) => ({
      hidden: administration.store.hidden.entries().map(([model, { since }]) => ({ model, since })),
    }),
  },
  {
    method: "POST",
    path: "/catalog/restore/{model+}",
    summary: "Shows a bundled model again that was removed",
    scopes: ["admin"],
    handle: restoreModel,
  },
  {
    method: "PUT",
    path: "/catalog/metadata/{model+}",
    summary:
      "Says of an own model what its image does not: name, context length, other upstreams, …",
    scopes: ["admin", "deploy"],
    body: ownMetadataSchema,
    handle: putMetadata,
  },
  {
    method: "DELETE",
    path: "/catalog/metadata/{model+}",
    summary: "Takes that back",
    scopes: ["admin", "deploy"],
    handle: ({ administration, call, parameters }) => {
      const id = parameters["model"] ?? "";
      assertMayCall(call.key, id);
      if (!administration.store.metadata.delete(id)) throw nothingFor(id, "metadata");
    },
  },
  {
    method: "POST",
    path: "/catalog/refresh",
    summary:
      "Takes facts and prices from a list in the shape of models.dev or LiteLLM; a bad one changes nothing",
    scopes: ["admin"],
    body: refreshBody,
    handle: refresh,
  },
  {
    method: "GET",
    path: "/catalog/sheets",
    summary: "The lists that facts were taken from",
    scopes: ["admin", "deploy"],
    handle: ({ administration }) => ({
      sheets: administration.store.sheets.entries().map(([, { models, ...sheet }]) => ({
        ...sheet,
        models: models.length,
      })),
    }),
  },
  {
    method: "DELETE",
    path: "/catalog/sheets/{format}",
    summary: "Forgets a list; the bundled facts hold again",
    scopes: ["admin"],
    handle: ({ administration, parameters }) => {
      const format = parameters["format"] ?? "";
      if (!administration.store.sheets.delete(format)) throw nothingFor(format, "list");
    },
  },
];

/** Models and routes, as they stand in lists. */
function listed({ administration, services }: AdminCall): readonly CatalogEntry[] {
  const { book, sources } = services.router;
  const routes = book.list().flatMap((route) => routeEntry(route, sources) ?? []);
  return [...administration.catalog.list(), ...routes];
}

function sourcesOf({ administration, services, starts }: AdminCall): CatalogSources {
  const { catalog, providers } = administration;
  return { catalog, providers, upstream: services.upstream, starts };
}

function listModels(admin: AdminCall): unknown {
  const { call } = admin;
  const { query } = call;
  const asked = Object.fromEntries(
    ["search", "task", "author", "source"].flatMap((name) => {
      const value = query.get(name);
      return value === null || value === "" ? [] : [[name, value]];
    }),
  );
  const entries = listed(admin).filter(
    (entry) => mayCall(call.key, entry.id) && matches(entry, asked),
  );
  const format = query.get("format");
  if (format === null || format === "byom") {
    const sources = sourcesOf(admin);
    const withSchemas = query.get("schemas") === "true";
    return { models: entries.map((entry) => viewModel(entry, sources, { withSchemas })) };
  }
  const list = formatModels(format, entries, { apiUrl: `${call.baseUrl}/v1` });
  if (list === undefined) throw unknownFormat(format);
  return list;
}

function findEntry({ administration, call, services }: AdminCall, name: string): CatalogEntry {
  const route = name.startsWith(dynamicPrefix) ? services.router.book.get(name) : undefined;
  const entry =
    (route && routeEntry(route, services.router.sources)) ?? administration.catalog.get(name);
  if (entry === undefined) {
    throw new GatewayError("model_not_found", `There is no model ${name}.`, { parameter: "model" });
  }
  assertMayCall(call.key, entry.id);
  return entry;
}

function showModel(admin: AdminCall): unknown {
  const entry = findEntry(admin, admin.parameters["model"] ?? "");
  return viewModel(entry, sourcesOf(admin), { withSchemas: true });
}

async function putModel(admin: AdminCall): Promise<unknown> {
  const { administration, call, services, parameters } = admin;
  const { catalog, providers, store } = administration;
  const id = check(modelIdSchema, parameters["model"], "model");
  const body = await readAdminBody(call.request, thirdPartyBodySchema);
  if (catalog.isOwn(id)) {
    throw new GatewayError("conflict", `${id} is deployed here; its own entry would win.`, {
      hint: "Choose another id, or name other upstreams of it under /api/v1/catalog/metadata.",
    });
  }
  for (const { provider } of body.upstreams) {
    if (providers.get(provider) === undefined) throw unknownProvider(provider);
  }
  store.transaction(() => {
    const createdAt = store.models.get(id)?.createdAt ?? new Date(services.clock()).toISOString();
    store.models.set(id, { ...body, id, createdAt });
    store.hidden.delete(id);
  });
  return viewModel(findEntry(admin, id), sourcesOf(admin), { withSchemas: true });
}

/** @returns the error for a provider that is neither configured nor known by itself */
export function unknownProvider(name: string): GatewayError {
  return new GatewayError("invalid_request", `There is no provider ${name}.`, {
    parameter: "provider",
    hint: `Add it first: byom providers add ${name}`,
  });
}

function removeModel({ administration, services, parameters }: AdminCall): undefined {
  const { catalog, store } = administration;
  const id = parameters["model"] ?? "";
  const entry = catalog.get(id);
  if (entry === undefined) throw new GatewayError("not_found", `There is no model ${id}.`);
  if (catalog.isOwn(entry.id)) {
    throw new GatewayError("conflict", `${id} is deployed here.`, {
      hint: `\`byom models remove ${entry.id} --deployed\` (DELETE /api/v1/models/${entry.id}) removes it with its versions.`,
    });
  }
  if (entry.id !== id) {
    throw new GatewayError("conflict", `${id} is an alias of ${entry.id}.`, {
      hint: `DELETE /api/v1/aliases/${id}`,
    });
  }
  store.transaction(() => {
    store.models.delete(id);
    // A bundled model of the same name would show again.
    if (catalog.get(id) !== undefined) {
      store.hidden.set(id, { since: new Date(services.clock()).toISOString() });
    }
  });
}

function restoreModel(admin: AdminCall): unknown {
  const id = admin.parameters["model"] ?? "";
  if (!admin.administration.store.hidden.delete(id)) throw nothingFor(id, "removed model");
  return viewModel(findEntry(admin, id), sourcesOf(admin), { withSchemas: false });
}

async function putMetadata(admin: AdminCall): Promise<unknown> {
  const { administration, call, parameters } = admin;
  const { catalog, providers, store } = administration;
  const entry = findEntry(admin, parameters["model"] ?? "");
  if (!catalog.isOwn(entry.id)) {
    throw new GatewayError("conflict", `${entry.id} is not deployed here.`, {
      hint: `PUT /api/v1/catalog/models/${entry.id} replaces a third party's entry.`,
    });
  }
  const body = await readAdminBody(call.request, ownMetadataSchema);
  for (const target of body.upstreams ?? []) {
    if (target.kind === "provider" && providers.get(target.provider) === undefined) {
      throw unknownProvider(target.provider);
    }
    if (target.kind === "deployment" && !catalog.isOwn(target.modelId)) {
      throw new GatewayError("invalid_request", `${target.modelId} is not deployed here.`);
    }
  }
  store.metadata.set(entry.id, body);
  return viewModel(findEntry(admin, entry.id), sourcesOf(admin), { withSchemas: false });
}

async function refresh({ administration, call, services }: AdminCall): Promise<unknown> {
  const { catalog, providers, store } = administration;
  const { source, document } = await readAdminBody(call.request, refreshBody, {
    bytesMax: sheetBytesMax,
  });
  const sheet = readSheet(document, {
    source,
    readAt: new Date(services.clock()).toISOString(),
    canCall: (provider) =>
      providers.get(provider) !== undefined || adapterIds.some((id) => id === provider),
  });
  const known = new Set(
    catalog
      .list()
      .flatMap(({ origin, upstreams = [] }) =>
        upstreams.flatMap((target) =>
          target.kind === "provider" && origin !== "listed"
            ? [upstreamKey(target.provider, target.model)]
            : [],
        ),
      ),
  );
  store.sheets.set(sheet.format, sheet);
  const updated = sheet.models.filter(({ provider, model }) =>
    known.has(upstreamKey(provider, model)),
  ).length;
  return {
    format: sheet.format,
    source,
    readAt: sheet.readAt,
    models: sheet.models.length,
    updated,
    listed: sheet.models.length - updated,
  };
}

function nothingFor(name: string, what: string): GatewayError {
  return new GatewayError("not_found", `There is no ${what} for ${name}.`);
}
