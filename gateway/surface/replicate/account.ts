import { GatewayError } from "../../errors.ts";
import { allowMethods, noSuchPath, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { mayCall } from "../../keys/authorize.ts";

/** The platform as Replicate's clients see an account: there is one, and every key is its own. */
export const platformAccount: Readonly<Record<string, string>> = {
  type: "organization",
  username: "byom",
  name: "byom",
};

/** `GET /v1/account`. */
export function getAccount(call: Call): void {
  allowMethods(call, "GET");
  sendJson(call.response, { body: platformAccount });
}

/** `GET /v1/hardware`: what the deployed models run on. */
export function listHardware(call: Call, services: Services): void {
  allowMethods(call, "GET");
  const entries = services.catalog.list().filter((entry) => mayCall(call.key, entry.id));
  const names = new Set(entries.map(({ hardware }) => hardware).filter((name) => name !== ""));
  const body = [...names].toSorted().map((sku) => ({ sku, name: sku.toUpperCase() }));
  sendJson(call.response, { body });
}

/** `GET /v1/collections`: nobody curates any here. */
export function handleCollections(call: Call, slug: string | undefined): void {
  allowMethods(call, "GET");
  if (slug !== undefined) throw new GatewayError("not_found", `There is no collection ${slug}.`);
  sendJson(call.response, { body: { previous: null, next: null, results: [] } });
}

/** `/v1/trainings`: the list is empty, and why. */
export function handleTrainings(call: Call, id: string | undefined): void {
  if (call.method === "GET" && id === undefined) {
    sendJson(call.response, { body: { previous: null, next: null, results: [] } });
    return;
  }
  if (call.method === "GET") throw new GatewayError("not_found", `There is no training ${id}.`);
  throw noTraining();
}

export function noTraining(): GatewayError {
  return new GatewayError("unsupported_parameter", "Models are not trained by this platform.", {
    hint: "Push a fine-tuned model as a new version with `byom push`.",
  });
}

/** `GET /v1/webhooks/default/secret`. */
export function getWebhookSecret(call: Call, services: Services): void {
  const [, , name, resource, ...rest] = call.segments;
  if (name !== "default" || resource !== "secret" || rest.length > 0) throw noSuchPath(call);
  allowMethods(call, "GET");
  sendJson(call.response, { body: { key: services.webhookSecret.key } });
}
