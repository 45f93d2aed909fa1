import { z } from "zod";

import type { ThirdPartyModel } from "../catalog/third-party.ts";
import { modelIdSchema } from "../catalog/third-party.ts";
import { tasks, type Task } from "../catalog/entry.ts";
import { GatewayError } from "../errors.ts";
import {
  providerBodySchema,
  providerNameSchema,
  type KeyReference,
  type ProviderBody,
  type ProviderConfig,
} from "../upstream/provider/provider-config.ts";
import type { Provider } from "../upstream/provider/providers.ts";
import { check, readAdminBody } from "./body.ts";
import { probeProvider, type ProviderProbe } from "./provider-probe.ts";
import { assertAllowedUrl } from "./provider-url.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

interface AddModelsBody {
  /** Names as the provider has them; absent: all that it lists. */
  readonly models?: readonly string[];
  readonly task?: Task;
}

const addModelsBody: z.ZodType<AddModelsBody> = z.strictObject({
  models: z.array(z.string().min(1).max(200)).min(1).max(1_000).exactOptional(),
  task: z.enum(tasks).exactOptional(),
});

export const providerRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/providers",
    summary: "Configured providers, without their keys",
    scopes: ["admin", "deploy"],
    handle: ({ administration }) => ({ providers: administration.providers.describe() }),
  },
  {
    method: "POST",
    path: "/providers/master-key/rotate",
    summary: "Encrypts all stored keys anew under a new master key",
    scopes: ["admin"],
    handle: ({ administration }) => ({ secrets: administration.providers.rotateMasterKey() }),
  },
  {
    method: "GET",
    path: "/providers/{name}",
    summary: "One provider, without its key",
    scopes: ["admin", "deploy"],
    handle: (admin) => {
      const found = admin.administration.providers.find(nameOf(admin));
      if (found === undefined) throw notConfigured(nameOf(admin));
      return found;
    },
  },
  {
    method: "PUT",
    path: "/providers/{name}",
    summary: "Adds or replaces a provider; the key is encrypted and never shown",
    scopes: ["admin"],
    body: providerBodySchema,
    handle: putProvider,
  },
  {
    method: "DELETE",
    path: "/providers/{name}",
    summary: "Removes a provider with its key; its models stay and need a key of the caller's",
    scopes: ["admin"],
    handle: (admin) => {
      admin.administration.providers.remove(nameOf(admin));
    },
  },
  {
    method: "POST",
    path: "/providers/{name}/test",
    summary:
      "Asks the provider something that costs nothing: can it be reached, does it take the key",
    scopes: ["admin"],
    handle: probe,
  },
  {
    method: "GET",
    path: "/providers/{name}/models",
    summary: "The models that the provider lists",
    scopes: ["admin"],
    handle: async (admin) => ({ models: await listedModels(admin) }),
  },
  {
    method: "POST",
    path: "/providers/{name}/models",
    summary:
      "Adds models of a provider to the catalog as PROVIDER/MODEL: all that it lists, or those named",
    scopes: ["admin"],
    body: addModelsBody,
    status: 201,
    handle: addModels,
  },
];

function nameOf({ parameters }: AdminCall): string {
  return parameters["name"] ?? "";
}

/** @throws GatewayError `not_found` */
function providerOf(admin: AdminCall): Provider {
  const provider = admin.administration.providers.get(nameOf(admin));
  if (provider === undefined) throw notConfigured(nameOf(admin));
  return provider;
}

function notConfigured(name: string): GatewayError {
  return new GatewayError("not_found", `There is no provider ${name}.`);
}

async function putProvider(admin: AdminCall): Promise<unknown> {
  const { administration, call } = admin;
  const name = check(providerNameSchema, nameOf(admin), "name");
  const body = await readAdminBody(call.request, providerBodySchema);
  const { key, keyEnvironment: _variable, ...rest } = body;
  const before = administration.store.providers.get(name);
  const config: ProviderConfig = { ...rest, key: keyReference(body, before) };
  if (body.baseUrl !== undefined) {
    await assertAllowedUrl(body.baseUrl, { allowPrivate: body.allowPrivate ?? false });
  }
  const isMoved =
    before !== undefined &&
    (before.adapter !== config.adapter || originOf(before) !== originOf(config));
  if (isMoved && key === undefined && config.key.kind === "stored") {
    // A key goes where its owner sent it, and nowhere else by a change of the address alone.
    throw new GatewayError("conflict", `${name} gets another address: give its key again.`, {
      parameter: "key",
    });
  }
  return administration.providers.put(name, config, key);
}

function originOf({ baseUrl }: ProviderConfig): string | undefined {
  return baseUrl === undefined ? undefined : new URL(baseUrl).origin;
}

/** Without a key in the body the one that is stored stays. */
function keyReference(body: ProviderBody, before: ProviderConfig | undefined): KeyReference {
  if (body.key !== undefined) return { kind: "stored" };
  if (body.keyEnvironment !== undefined) {
    return { kind: "environment", variable: body.keyEnvironment };
  }
  return before?.key ?? { kind: "none" };
}

async function probe(admin: AdminCall): Promise<ProviderProbe> {
  const provider = providerOf(admin);
  const found = admin.administration.providers.find(provider.name);
  return await probeProvider(provider, {
    allowPrivate: found?.allowPrivate ?? false,
    signal: admin.call.signal,
  });
}

async function listedModels(admin: AdminCall): Promise<readonly string[]> {
  const provider = providerOf(admin);
  const { models, message } = await probe(admin);
  if (models !== undefined) return models;
  throw new GatewayError(
    "upstream_failed",
    message ?? `${provider.name} has no list of models that byom can read.`,
    { hint: `Name them: byom models add ${provider.name}/MODEL --provider ${provider.name}` },
  );
}

async function addModels(admin: AdminCall): Promise<unknown> {
  const { administration, call, services } = admin;
  const { store, catalog } = administration;
  const provider = nameOf(admin);
  const body = await readAdminBody(call.request, addModelsBody);
  const names = body.models ?? (await listedModels(admin));
  if (administration.providers.get(provider) === undefined) throw notConfigured(provider);
  const createdAt = new Date(services.clock()).toISOString();
  const added: string[] = [];
  const skipped: string[] = [];
  store.transaction(() => {
    for (const model of names) {
      const id = `${provider}/${model}`;
      if (!modelIdSchema.safeParse(id).success || catalog.isOwn(id)) skipped.push(model);
      else {
        store.models.set(id, newModel({ id, provider, model, createdAt, ...taskOf(body, model) }));
        store.hidden.delete(id);
        added.push(id);
      }
    }
  });
  return { added, skipped };
}

function taskOf({ task }: AddModelsBody, model: string): { readonly task: Task } {
  if (task !== undefined) return { task };
  return { task: /embed|\bbge\b|\be5\b/i.test(model) ? "text-embeddings" : "text-generation" };
}

function newModel(given: {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly task: Task;
  readonly createdAt: string;
}): ThirdPartyModel {
  const { id, provider, model, task, createdAt } = given;
  return {
    id,
    description: `${model} at ${provider}.`,
    task,
    upstreams: [{ provider, model }],
    createdAt,
  };
}
