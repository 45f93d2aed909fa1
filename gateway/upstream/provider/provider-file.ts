import { isAbsolute, resolve } from "node:path";

import { z } from "zod";

import { GatewayError } from "../../errors.ts";
import {
  adapterIds,
  baseUrlSchema,
  headersSchema,
  providerNameSchema,
  type KeyReference,
  type ProviderConfig,
} from "./provider-config.ts";

/** One provider of the operator's file. */
export interface ConfiguredProvider extends ProviderConfig {
  readonly name: string;
}

export interface ProviderFile {
  readonly providers: readonly ConfiguredProvider[];
  /** Which bundled models the catalog shows: all, those of providers with a key, or none. */
  readonly bundled: BundledChoice;
}

export type BundledChoice = "all" | "configured" | "none";

const keyPattern = /^(env|file):(.+)$/s;

const fileSchema = z.strictObject({
  bundled: z.enum(["all", "configured", "none"]).default("all"),
  providers: z
    .record(
      providerNameSchema,
      z.strictObject({
        adapter: z.enum(adapterIds).exactOptional(),
        base_url: baseUrlSchema.exactOptional(),
        key: z
          .string()
          .regex(
            keyPattern,
            "a reference, env:NAME or file:PATH; a key itself does not belong in this file",
          )
          .exactOptional(),
        headers: headersSchema.exactOptional(),
        allow_private: z.boolean().exactOptional(),
      }),
    )
    .default({}),
});

/**
 * Reads the operator's `providers.yaml`, already parsed. A provider whose name is an adapter's needs no `adapter`; any
 * other one is `openai-compatible`. Paths are relative to `directory`.
 * @throws GatewayError `invalid_request` that names every wrong field
 */
export function readProviderFile(
  value: unknown,
  options: { readonly directory: string },
): ProviderFile {
  const result = fileSchema.safeParse(value ?? {});
  if (!result.success) {
    const problems = result.error.issues.map(
      ({ path, message }) => `${path.map(String).join(".") || "file"}: ${message}`,
    );
    throw new GatewayError("invalid_request", problems.join("; "));
  }
  const { bundled, providers } = result.data;
  return {
    bundled,
    providers: Object.entries(providers).map(([name, given]) => ({
      name,
      adapter: given.adapter ?? adapterNamed(name),
      key: readReference(given.key, options.directory),
      ...(given.base_url === undefined ? {} : { baseUrl: given.base_url }),
      ...(given.headers === undefined ? {} : { headers: given.headers }),
      // Whoever writes this file may look into the network of this machine anyway.
      allowPrivate: given.allow_private ?? true,
    })),
  };
}

function adapterNamed(name: string): ProviderConfig["adapter"] {
  return adapterIds.find((id) => id === name) ?? "openai-compatible";
}

function readReference(text: string | undefined, directory: string): KeyReference {
  const [, kind, rest = ""] = keyPattern.exec(text ?? "") ?? [];
  if (kind === "env") return { kind: "environment", variable: rest };
  if (kind === "file") {
    return { kind: "file", path: isAbsolute(rest) ? rest : resolve(directory, rest) };
  }
  return { kind: "none" };
}
