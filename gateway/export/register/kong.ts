import { createHash } from "node:crypto";

import { GatewayError } from "../../errors.ts";
import { kongKinds, kongPlugin, kongRoute, kongServiceUrl } from "../kong.ts";
import { selectModels } from "../model.ts";
import type { Register, RegistrationStep } from "./registration.ts";

/**
 * Kong's Admin API. Services and routes are put by their name and plugins by an id that follows from the route's name, so
 * that the same registration lands on the same objects (https://developer.konghq.com/api/gateway/admin-ee/).
 */
export const registerAtKong: Register = async (client, models, options) => {
  const { selected, skipped } = selectModels(models, kongKinds);
  if (options.secret === undefined) {
    throw new GatewayError("invalid_request", `${options.keyEnv} is not set.`, {
      parameter: "key-env",
      hint: "Kong keeps the byom key itself: put it into that variable for this command.",
    });
  }
  const steps: RegistrationStep[] = [];
  const put = async (subject: string, path: string, body: unknown): Promise<void> => {
    const { status } = await client.get(path);
    await client.change("PUT", path, body);
    steps.push({ action: status === 404 ? "create" : "update", subject });
  };
  await put(`service ${options.name}`, `/services/${options.name}`, { url: kongServiceUrl });
  for (const callable of selected) {
    const { name, paths } = kongRoute(callable.model, options);
    await put(`route ${name}`, `/routes/${name}`, { paths, service: { name: options.name } });
    const plugin = kongPlugin(callable, options, `Bearer ${options.secret}`);
    const path = `/plugins/${pluginId(name)}`;
    await put(`plugin ai-proxy of ${name}`, path, { ...plugin, route: { name } });
  }
  return { steps, skipped, notes: [`A model is called at Kong's /${options.name}/MODEL.`] };
};

/** A UUID of an own scheme (RFC 9562, version 8) for a name. */
function pluginId(name: string): string {
  const hex = createHash("sha256").update(`byom ai-proxy ${name}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
