import { checkExportOptions, type ExportModel } from "../model.ts";
import { createAdminClient } from "./admin-client.ts";
import { registerAtBifrost } from "./bifrost.ts";
import { registerAtCloudflare } from "./cloudflare.ts";
import { registerAtKong } from "./kong.ts";
import { registerAtLiteLlm } from "./litellm.ts";
import { registerAtPortkey } from "./portkey.ts";
import type { Register, Registration, RegistrationOptions } from "./registration.ts";

interface Target {
  readonly register: Register;
  /** How its administration wants the token. */
  readonly headers: (token: string) => Readonly<Record<string, string>>;
}

const bearer = (token: string): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${token}`,
});
/** The gateways with an administration to register at. */
export type RegisterTarget = "litellm" | "bifrost" | "portkey" | "cloudflare" | "kong";

const targets: Readonly<Record<RegisterTarget, Target>> = {
  litellm: { register: registerAtLiteLlm, headers: bearer },
  bifrost: { register: registerAtBifrost, headers: bearer },
  portkey: {
    register: registerAtPortkey,
    headers: (token) => ({ "x-portkey-api-key": token }),
  },
  cloudflare: { register: registerAtCloudflare, headers: bearer },
  kong: { register: registerAtKong, headers: (token) => ({ "kong-admin-token": token }) },
};

export const registerTargets: readonly RegisterTarget[] = Object.keys(targets) as RegisterTarget[];

/**
 * Tells another gateway's administration about models. Running it again updates what it made before.
 * @throws GatewayError with the remote's own words when it refuses
 */
export async function registerModels(
  target: RegisterTarget,
  models: readonly ExportModel[],
  options: RegistrationOptions & {
    /** Base URL of the remote's administration. */
    readonly url: string;
    /** Absent: its administration asks for none. */
    readonly token?: string;
    /** Nothing is changed over there; it is read, to say what would be. */
    readonly isDryRun: boolean;
    readonly signal: AbortSignal;
  },
): Promise<Registration> {
  const { url, token, isDryRun, signal, ...rest } = options;
  const checked = { ...rest, ...checkExportOptions(rest) };
  const { register, headers } = targets[target];
  const client = createAdminClient({
    url,
    headers: token === undefined ? {} : headers(token),
    isDryRun,
    signal,
  });
  return register(client, models, checked);
}
