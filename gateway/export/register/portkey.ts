import { GatewayError } from "../../errors.ts";
import { isRecord, type Register } from "./registration.ts";
import { selectModels } from "../model.ts";

/**
 * The hosted Portkey: an integration with byom's address, and its provider (Portkey's OpenAPI document, 2026: `POST
 * /integrations`, `PUT /integrations/{slug}`; the address is `custom_host` of `CustomHostConfiguration`).
 */
export const registerAtPortkey: Register = async (client, models, options) => {
  const { skipped } = selectModels(models, [
    "chat",
    "embedding",
    "image",
    "speech",
    "transcription",
  ]);
  const key = options.secret;
  if (key === undefined) {
    throw new GatewayError("invalid_request", `${options.keyEnv} is not set.`, {
      parameter: "key-env",
      hint: "Portkey keeps the byom key itself: put it into that variable for this command.",
    });
  }
  const { name } = options;
  const shared = {
    name,
    key,
    description: "Models of a byom platform",
    configurations: { custom_host: `${options.baseUrl}/v1` },
  };
  const path = `/integrations/${encodeURIComponent(name)}`;
  const found = await client.get(path);
  const notes = [`Models are called as @${name}/MODEL.`];
  if (found.status !== 404 && isRecord(found.body)) {
    await client.change("PUT", path, shared);
    return { steps: [{ action: "update", subject: `integration ${name}` }], skipped, notes };
  }
  await client.change("POST", "/integrations", {
    ...shared,
    slug: name,
    ai_provider_id: "openai",
    create_default_provider: true,
  });
  return { steps: [{ action: "create", subject: `integration ${name}` }], skipped, notes };
};
