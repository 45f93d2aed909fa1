import { z } from "zod";

import type { Price } from "../catalog/entry.ts";
import { aliasSchema, pricesSchema } from "../catalog/store/records.ts";
import { modelIdSchema } from "../catalog/third-party.ts";
import { GatewayError } from "../errors.ts";
import { check, readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

export const aliasRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/aliases",
    summary: "Other names of models",
    scopes: ["admin", "deploy"],
    handle: ({ administration }) => ({
      aliases: administration.store.aliases
        .entries()
        .map(([alias, { model }]) => ({ alias, model })),
    }),
  },
  {
    method: "PUT",
    path: "/aliases/{alias+}",
    summary:
      "Gives a model another name, over a third party's of the same name; effective with the next call",
    scopes: ["admin"],
    body: aliasSchema,
    handle: putAlias,
  },
  {
    method: "DELETE",
    path: "/aliases/{alias+}",
    summary: "Takes a name back",
    scopes: ["admin"],
    handle: ({ administration, parameters }) => {
      const alias = parameters["alias"] ?? "";
      if (administration.store.aliases.delete(alias)) return;
      throw new GatewayError("not_found", `There is no alias ${alias}.`);
    },
  },
];

const pricesBody: z.ZodType<{ readonly prices: readonly Price[] }> = z.strictObject({
  prices: pricesSchema,
});

export const priceRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/prices",
    summary: "Prices that the operator set, in the place of those of the entries",
    scopes: ["admin", "deploy"],
    handle: ({ administration }) => ({
      prices: administration.store.prices.entries().map(([model, prices]) => ({ model, prices })),
    }),
  },
  {
    method: "PUT",
    path: "/prices/{model+}",
    summary: "Sets the prices of a model, own ones too; an empty list says that it costs nothing",
    scopes: ["admin"],
    body: pricesBody,
    handle: putPrices,
  },
  {
    method: "DELETE",
    path: "/prices/{model+}",
    summary: "Takes them back; the entry's own prices hold again",
    scopes: ["admin"],
    handle: ({ administration, parameters }) => {
      const model = parameters["model"] ?? "";
      if (administration.store.prices.delete(model)) return;
      throw new GatewayError("not_found", `There are no prices set for ${model}.`);
    },
  },
];

async function putAlias({ administration, call, parameters }: AdminCall): Promise<unknown> {
  const { catalog, store } = administration;
  const alias = check(modelIdSchema, parameters["alias"], "alias");
  const { model } = await readAdminBody(call.request, aliasSchema);
  if (catalog.isOwn(alias)) {
    throw new GatewayError("conflict", `${alias} is deployed here: the name is taken.`);
  }
  const entry = catalog.get(model);
  if (entry === undefined || entry.id === alias) {
    throw new GatewayError("model_not_found", `There is no model ${model} to stand for.`, {
      parameter: "model",
    });
  }
  // An alias of an alias leads to the model itself: it has no other way to go wrong later.
  store.aliases.set(alias, { model: entry.id });
  return { alias, model: entry.id };
}

async function putPrices({ administration, call, parameters }: AdminCall): Promise<unknown> {
  const { catalog, store } = administration;
  const entry = catalog.get(parameters["model"] ?? "");
  if (entry === undefined) {
    throw new GatewayError("model_not_found", `There is no model ${parameters["model"]}.`);
  }
  const { prices } = await readAdminBody(call.request, pricesBody);
  const units = new Set(prices.map(({ unit }) => unit));
  if (units.size !== prices.length) {
    throw new GatewayError("invalid_request", "prices: one price for each unit");
  }
  store.prices.set(entry.id, prices);
  return { model: entry.id, prices };
}
