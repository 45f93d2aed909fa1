import type { ExportModel, ExportOptions, SkippedModel } from "../model.ts";
import type { AdminClient } from "./admin-client.ts";

/** What a registration did, or would do in a dry run. */
export interface RegistrationStep {
  readonly action: "create" | "update" | "keep";
  /** Such as `model me/chat`. */
  readonly subject: string;
}

export interface Registration {
  readonly steps: readonly RegistrationStep[];
  readonly skipped: readonly SkippedModel[];
  readonly notes: readonly string[];
}

export interface RegistrationOptions extends ExportOptions {
  /** The byom key's secret, for remotes that keep it themselves; absent when nobody gave it. */
  readonly secret?: string;
  /** Of Cloudflare: the gateway that keeps the key; absent: no gateway is touched. */
  readonly gateway?: string;
}

/** Tells one kind of gateway about models: finds what is registered there already and brings it up to date. */
export type Register = (
  client: AdminClient,
  models: readonly ExportModel[],
  options: RegistrationOptions,
) => Promise<Registration>;

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects of a list under a name in an answer; none when it has another shape. */
export function listOf(body: unknown, name: string): readonly Readonly<Record<string, unknown>>[] {
  const list = isRecord(body) ? body[name] : undefined;
  return Array.isArray(list) ? list.filter(isRecord) : [];
}
