import { aliasSchema } from "../catalog/store/records.ts";
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
