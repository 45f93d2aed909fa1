import { z } from "zod";

import { check } from "../../admin/body.ts";
import { GatewayError } from "../../errors.ts";
import { readBody } from "../../http/body.ts";
import { allowMethods, noSuchPath, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { authorize } from "../../keys/authorize.ts";
import type { Scope } from "../../keys/keys.ts";
import type { Route, RouteBook, RouteVersion } from "../../route/dynamic/book.ts";
import { modelRoutePrefix, type RouteDocument } from "../../route/dynamic/document.ts";
import { elementsOf } from "../../route/dynamic/elements.ts";
import { success } from "../workers-ai/errors.ts";

/**
 * Cloudflare's API of dynamic routes: `…/ai-gateway/gateways/{gateway}/routes`, with `/{id}`, `/{id}/versions`,
 * `/{id}/versions/{version}` and `/{id}/deployments` below it. There is one gateway here, whatever its name in the path.
 * Some answers hold their facts under `data`, others under `result` (the published client reads one of each): both are
 * there. Source: the `cloudflare` client 7.3.0, `resources/ai-gateway/dynamic-routing`.
 */
export async function serveDynamicRoutes(
  call: Call,
  services: Services,
  path: { readonly gateway: string; readonly rest: readonly string[] },
): Promise<void> {
  const readers: readonly Scope[] = call.method === "GET" ? ["admin", "deploy"] : ["admin"];
  call.key = authorize(call.request.headers, services.keys, readers);
  const { book } = services.router;
  const { gateway, rest } = path;
  const [id, folder, item] = rest;
  if (rest.length > 3) throw noSuchPath(call);
  if (id === undefined) await serveList(call, book, gateway);
  else if (folder === undefined) await serveOne(call, book, { id, gateway });
  else if (folder === "versions") await serveVersions(call, book, { id, gateway, item });
  else if (folder === "deployments" && item === undefined) {
    await serveDeployments(call, book, { id, gateway });
  } else throw noSuchPath(call);
}

interface Place {
  readonly gateway: string;
  readonly id: string;
}

const routeBytesMax: number = 1024 * 1024;
const perPageDefault = 20;
const perPageMax = 100;

const createSchema = z.looseObject({ name: z.string().min(1), elements: z.unknown() });
const nameSchema = z.looseObject({ name: z.string().min(1) });
const deploySchema = z.looseObject({ version_id: z.string().min(1) });

/** A model's own route has no name that Cloudflare knows. */
function listed(book: RouteBook): readonly Route[] {
  return book.list().filter(({ name }) => !name.startsWith(modelRoutePrefix));
}

async function serveList(call: Call, book: RouteBook, gateway: string): Promise<void> {
  allowMethods(call, "GET", "POST");
  if (call.method === "GET") {
    const { page, perPage } = pageOf(call);
    const routes = listed(book).slice((page - 1) * perPage, page * perPage);
    answerList(call, {
      ...pageFacts(page, perPage),
      routes: routes.map((route) => ({
        account_tag: accountOf(call),
        ...shown(book, route, gateway),
      })),
    });
    return;
  }
  const { name, ...document } = check(createSchema, await readJson(call));
  if (book.get(name) !== undefined) {
    throw new GatewayError("conflict", `There is a route ${name} already.`, {
      parameter: "name",
      hint: "POST …/routes/{id}/versions adds a version to it, and …/deployments puts it to use.",
    });
  }
  const { route } = book.put(name, document);
  answer(call, shown(book, route, gateway));
}

async function serveOne(call: Call, book: RouteBook, { id, gateway }: Place): Promise<void> {
  allowMethods(call, "GET", "PATCH", "DELETE");
  const route = demand(book, id);
  if (call.method === "GET") {
    answer(call, shown(book, route, gateway));
  } else if (call.method === "PATCH") {
    const { name } = check(nameSchema, await readJson(call));
    answer(call, shown(book, book.rename(route.name, name), gateway));
  } else {
    const body = shown(book, route, gateway);
    book.remove(route.name);
    answer(call, body);
  }
}

async function serveVersions(
  call: Call,
  book: RouteBook,
  { id, gateway, item }: Place & { readonly item: string | undefined },
): Promise<void> {
  const route = demand(book, id);
  if (item !== undefined) {
    allowMethods(call, "GET");
    const version = book.version(route.name, versionNumber(route, item));
    answer(call, {
      ...shownVersion(route, version),
      ...shownElements(version.document, route.name),
      id: route.id,
      name: route.name,
      gateway_id: gateway,
      modified_at: route.modifiedAt,
    });
    return;
  }
  allowMethods(call, "GET", "POST");
  if (call.method === "GET") {
    const { page, perPage } = pageOf(call);
    const versions = book.versions(route.name).slice((page - 1) * perPage, page * perPage);
    answerList(call, {
      ...pageFacts(page, perPage),
      versions: versions.map((version) => shownVersion(route, version)),
    });
    return;
  }
  const version = book.addVersion(route.name, await readJson(call));
  answer(call, {
    ...shown(book, route, gateway),
    ...shownElements(version.document, route.name),
    version: shownVersion(route, version),
    version_id: versionId(route, version.version),
  });
}

async function serveDeployments(call: Call, book: RouteBook, place: Place): Promise<void> {
  allowMethods(call, "GET", "POST");
  const route = demand(book, place.id);
  if (call.method === "GET") {
    const { page, perPage } = pageOf(call);
    const deployments = book.deployments(route.name).slice((page - 1) * perPage, page * perPage);
    answerList(call, {
      ...pageFacts(page, perPage),
      deployments: deployments.map(({ id, version, createdAt }) => ({
        deployment_id: id,
        version_id: versionId(route, version),
        created_at: createdAt,
      })),
    });
    return;
  }
  const { version_id: wanted } = check(deploySchema, await readJson(call));
  const deployed = book.activate(route.name, versionNumber(route, wanted));
  answer(call, shown(book, deployed, place.gateway));
}

function shown(book: RouteBook, route: Route, gateway: string): Record<string, unknown> {
  const [deployment] = book.deployments(route.name);
  const version: RouteVersion = {
    ...book.version(route.name, route.version),
    isActive: true,
  };
  return {
    id: route.id,
    name: route.name,
    gateway_id: gateway,
    created_at: route.createdAt,
    modified_at: route.modifiedAt,
    ...shownElements(route.document, route.name),
    version: shownVersion(route, version),
    deployment: {
      deployment_id: deployment?.id ?? "",
      version_id: versionId(route, route.version),
      created_at: deployment?.createdAt ?? route.createdAt,
    },
  };
}

function shownElements(document: RouteDocument, name: string): { readonly elements: unknown } {
  return { elements: "elements" in document ? document.elements : elementsOf(document, name) };
}

function shownVersion(route: Route, version: RouteVersion): Record<string, unknown> {
  return {
    version_id: versionId(route, version.version),
    active: String(version.isActive),
    created_at: version.createdAt,
    data: JSON.stringify(version.document),
    is_valid: true,
  };
}

/** Cloudflare's are opaque; ours say which version of which route they are. */
function versionId({ id }: Route, version: number): string {
  return `${id}-${version}`;
}

/** @throws `GatewayError` `not_found` */
function versionNumber({ id, name }: Route, text: string): number {
  const number = Number(text.startsWith(`${id}-`) ? text.slice(id.length + 1) : text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new GatewayError("not_found", `The route ${name} has no version ${text}.`);
}

/** By id, or by name for people. @throws `GatewayError` `not_found` */
function demand(book: RouteBook, id: string): Route {
  return book.byId(id) ?? book.demand(id);
}

function accountOf(call: Call): string {
  const at = call.segments.indexOf("accounts");
  return call.segments[at + 1] ?? "local";
}

function answer(call: Call, result: Record<string, unknown>): void {
  sendJson(call.response, { body: { ...success(result), route: result } });
}

function answerList(call: Call, data: Record<string, unknown>): void {
  sendJson(call.response, { body: { ...success(data), data } });
}

function pageOf(call: Call): { readonly page: number; readonly perPage: number } {
  const page = positive(call, "page") ?? 1;
  return { page, perPage: Math.min(perPageMax, positive(call, "per_page") ?? perPageDefault) };
}

function positive(call: Call, name: string): number | undefined {
  const text = call.query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new GatewayError("invalid_request", `${name} must be a whole number above 0.`, {
    parameter: name,
  });
}

function pageFacts(page: number, perPage: number): Record<string, unknown> {
  return { page, per_page: perPage, order_by: "name", order_by_direction: "asc" };
}

async function readJson(call: Call): Promise<unknown> {
  const bytes = await readBody(call.request, { bytesMax: routeBytesMax });
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new GatewayError("invalid_request", "The body is not valid JSON.", { cause });
  }
}
