import type { CatalogEntry } from "../../catalog/entry.ts";
import { findModel, versionId, versionsOf } from "../../catalog/find.ts";
import { GatewayError } from "../../errors.ts";
import { readJsonObject } from "../../http/body.ts";
import { allowMethods, noSuchPath, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { mayCall } from "../../keys/authorize.ts";
import { findCallable } from "../../prediction/start.ts";
import type { Deployments, DeploymentSettings } from "../../upstream/deployments.ts";
import { platformAccount } from "./account.ts";
import { splitId } from "./models.ts";

/** What a change may name. */
const changeable = ["version", "hardware", "min_instances", "max_instances"];

/**
 * `/v1/deployments` and `/v1/deployments/{owner}/{name}`. A model that byom serves is its own deployment, under its
 * own name.
 */
export async function handleDeployments(
  call: Call,
  services: Services,
  modelId: string | undefined,
): Promise<void> {
  if (modelId === undefined) {
    if (call.method === "POST") throw noCreation();
    allowMethods(call, "GET", "POST");
    const entries = services.catalog.list().filter(isDeployment);
    const visible = entries.filter((entry) => mayCall(call.key, entry.id));
    const results = visible.map((entry) => deploymentBody(services, entry));
    sendJson(call.response, { body: { previous: null, next: null, results } });
    return;
  }
  allowMethods(call, "GET", "PATCH", "DELETE");
  const entry = findDeployment(call, services, modelId);
  if (call.method === "PATCH") {
    await change(call, services, entry);
    sendJson(call.response, {
      body: deploymentBody(services, findDeployment(call, services, entry.id)),
    });
  } else if (call.method === "DELETE") {
    await changer(call, services).remove(entry.id, by(call));
    call.response.writeHead(204).end();
  } else {
    sendJson(call.response, { body: deploymentBody(services, entry) });
  }
}

/** @throws `GatewayError` `model_not_found` for a model that is not deployed here */
export function findDeployment(call: Call, services: Services, modelId: string): CatalogEntry {
  if (modelId.includes(":")) throw noSuchPath(call);
  const { entry } = findCallable(call, services, modelId);
  if (isDeployment(entry)) return entry;
  throw new GatewayError("model_not_found", `${entry.id} is not deployed here.`, {
    hint: `Call it by POST /v1/models/${entry.id}/predictions.`,
  });
}

function isDeployment({ upstreams }: CatalogEntry): boolean {
  return upstreams === undefined || upstreams.some(({ kind }) => kind === "deployment");
}

function deploymentBody(services: Services, entry: CatalogEntry): Record<string, unknown> {
  const settings: Partial<DeploymentSettings> = services.deployments?.get(entry.id) ?? {};
  const { release = entry.version, changedAt = entry.createdAt } = settings;
  return {
    ...splitId(entry.id),
    current_release: {
      number: release,
      model: entry.id,
      version: versionId(entry),
      created_at: changedAt,
      created_by: platformAccount,
      configuration: {
        hardware: entry.hardware,
        min_instances: settings.minInstances ?? 0,
        max_instances: settings.maxInstances ?? 1,
      },
    },
  };
}

async function change(call: Call, services: Services, entry: CatalogEntry): Promise<void> {
  const deployments = changer(call, services);
  const body = await readJsonObject(call.request);
  const unknown = Object.keys(body).find((name) => !changeable.includes(name));
  if (unknown !== undefined) throw invalid(unknown, "cannot be changed here");
  const { version, hardware } = body;
  if (hardware !== undefined && hardware !== entry.hardware) {
    throw invalid("hardware", "is chosen when a model is pushed");
  }
  const minInstances = count(body, "min_instances");
  const maxInstances = count(body, "max_instances");
  await deployments.change(
    entry.id,
    {
      ...(version === undefined ? {} : { version: versionNumber(services, entry, version) }),
      ...(minInstances === undefined ? {} : { minInstances }),
      ...(maxInstances === undefined ? {} : { maxInstances }),
    },
    by(call),
  );
}

function versionNumber(services: Services, entry: CatalogEntry, version: unknown): number {
  const wanted = String(version).replace(/^.*:/, "");
  findModel(services.catalog, `${entry.id}:${wanted}`);
  const known = versionsOf(services.catalog, entry).find(
    (candidate) => versionId(candidate) === wanted || String(candidate.version) === wanted,
  );
  return known?.version ?? entry.version;
}

function count(body: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw invalid(name, "must be a whole number from 0 on");
}

/** @throws `GatewayError`: `forbidden` unless the key may deploy, `unsupported_parameter` where nobody can change them */
function changer(call: Call, services: Services): Deployments {
  if (call.key?.scopes.some((scope) => scope === "deploy" || scope === "admin") !== true) {
    throw new GatewayError("forbidden", "This API key may not change deployments.", {
      hint: "Use a key with the scope `deploy`.",
    });
  }
  if (services.deployments !== undefined) return services.deployments;
  throw new GatewayError("unsupported_parameter", "Deployments are not changed by this API here.", {
    hint: "Use `byom push`, `byom promote` and `byom deployments`.",
  });
}

function by(call: Call): { readonly by?: string; readonly signal: AbortSignal } {
  const { key, signal } = call;
  return { signal, ...(key === undefined ? {} : { by: key.name }) };
}

function noCreation(): GatewayError {
  return new GatewayError("unsupported_parameter", "A deployment is made by pushing its model.", {
    hint: "Run `byom push owner/name` in the model's repo; then it is deployed under that name.",
  });
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("unsupported_parameter", `${parameter} ${message}.`, { parameter });
}
