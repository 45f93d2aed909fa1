import { readFileSync } from "node:fs";

import type { CatalogStore } from "../../catalog/store/catalog-store.ts";
import { GatewayError } from "../../errors.ts";
import type { AdapterId, ProviderAdapter } from "./adapter.ts";
import type { ConfiguredProvider } from "./provider-file.ts";
import { keyLengthMax, type KeyReference, type ProviderConfig } from "./provider-config.ts";
import type { Provider, Providers } from "./providers.ts";
import type { SecretBox } from "./secret-box.ts";

/** The providers that can be called, and the ways to change them. */
export interface ProviderStore extends Providers {
  /** Configured ones, by name. */
  describe(): readonly ProviderDescription[];
  find(name: string): ProviderDescription | undefined;
  /**
   * Adds or replaces one; a key given here is stored encrypted. Effective with the next call.
   * @throws GatewayError `conflict` for one that the operator's file has; `invalid_request` without a base URL
   */
  put(name: string, config: ProviderConfig, key?: string): ProviderDescription;
  /** @throws GatewayError `not_found`, `conflict` */
  remove(name: string): void;
  /** Seals all stored keys anew under a new master key; answers how many. */
  rotateMasterKey(): number;
}

/** A provider without its key. */
export interface ProviderDescription {
  readonly name: string;
  readonly adapter: AdapterId;
  readonly title: string;
  readonly baseUrl: string;
  /** Names only: values may be secrets. */
  readonly headers: readonly string[];
  readonly allowPrivate: boolean;
  readonly from: "api" | "file";
  readonly key: {
    readonly kind: KeyReference["kind"];
    /** Of `environment` and `file`: which. */
    readonly name?: string;
    readonly isSet: boolean;
    /** Why there is none although one is configured. */
    readonly problem?: string;
  };
}

interface Loaded {
  readonly provider: Provider;
  readonly description: ProviderDescription;
}

export interface ProviderStoreOptions {
  readonly store: CatalogStore;
  readonly secrets: SecretBox;
  readonly adapters: ReadonlyMap<AdapterId, ProviderAdapter>;
  /** From the operator's file: they win over those of the API and only the file changes them. */
  readonly configured?: readonly ConfiguredProvider[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Every adapter with a base URL of its own is a provider under its own name, even without configuration: a caller may
 * bring a key per request.
 */
export function openProviders(options: ProviderStoreOptions): ProviderStore {
  const { store, secrets, adapters } = options;
  const fromFile = new Map((options.configured ?? []).map(({ name, ...rest }) => [name, rest]));
  const defaults = new Map<string, Provider>();
  for (const adapter of adapters.values()) {
    const { baseUrl, id } = adapter;
    if (baseUrl !== undefined) defaults.set(id, { name: id, adapter, baseUrl });
  }
  const loaded = new Map<string, Loaded>();
  const load = (name: string, config: ProviderConfig, from: "api" | "file"): Loaded | undefined => {
    const found = loadProvider(options, { name, config, from });
    if (found === undefined) loaded.delete(name);
    else loaded.set(name, found);
    return found;
  };
  for (const [name, config] of store.providers.entries()) load(name, config, "api");
  for (const [name, config] of fromFile) load(name, config, "file");
  const assertNotFromFile = (name: string): void => {
    if (!fromFile.has(name)) return;
    throw new GatewayError("conflict", `${name} is configured in the operator's file.`, {
      hint: "Change it there and start the platform again.",
    });
  };
  return {
    get: (name) => loaded.get(name)?.provider ?? defaults.get(name),
    list: () => {
      const configured = [...loaded.values()].map(({ provider }) => provider);
      return [...configured, ...[...defaults.values()].filter(({ name }) => !loaded.has(name))];
    },
    describe: () =>
      [...loaded.values()]
        .map(({ description }) => description)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    find: (name) => loaded.get(name)?.description,
    put(name, config, key) {
      assertNotFromFile(name);
      assertComplete(adapters, name, config);
      store.transaction(() => {
        store.providers.set(name, config);
        if (config.key.kind !== "stored") store.secrets.delete(name);
        else if (key !== undefined) store.secrets.set(name, secrets.seal(name, key));
      });
      const found = load(name, config, "api");
      if (found === undefined) throw new Error(`${name} was stored and cannot be loaded`);
      return found.description;
    },
    remove(name) {
      assertNotFromFile(name);
      const isRemoved = store.transaction(() => {
        store.secrets.delete(name);
        return store.providers.delete(name);
      });
      if (!isRemoved) throw new GatewayError("not_found", `There is no provider ${name}.`);
      loaded.delete(name);
    },
    rotateMasterKey: () => rotateMasterKey(store, secrets),
  };
}

function rotateMasterKey(store: CatalogStore, secrets: SecretBox): number {
  // In this order a kill at any moment leaves every secret with a key that opens it.
  secrets.rotate();
  const unreadable: string[] = [];
  const count = store.transaction(() => {
    let sealed = 0;
    for (const [name, secret] of store.secrets.entries()) {
      const clear = secrets.open(name, secret);
      if (clear === undefined) unreadable.push(name);
      else {
        store.secrets.set(name, secrets.seal(name, clear));
        sealed += 1;
      }
    }
    return sealed;
  });
  if (unreadable.length === 0) secrets.forget();
  return count;
}

/** Of adapters whose base URL is each operator's own. */
const baseUrlExamples: Readonly<Partial<Record<AdapterId, string>>> = {
  "workers-ai": "https://api.cloudflare.com/client/v4/accounts/ACCOUNT_ID/ai",
};

/** @throws GatewayError `invalid_request` */
function assertComplete(
  adapters: ReadonlyMap<AdapterId, ProviderAdapter>,
  name: string,
  config: ProviderConfig,
): void {
  const adapter = adapters.get(config.adapter);
  if (adapter === undefined) {
    throw new GatewayError("invalid_request", `There is no adapter ${config.adapter}.`, {
      parameter: "adapter",
    });
  }
  if ((config.baseUrl ?? adapter.baseUrl) === undefined) {
    throw new GatewayError("invalid_request", `${name} needs a base URL.`, {
      parameter: "baseUrl",
      hint: `Such as ${baseUrlExamples[config.adapter] ?? "http://10.0.0.5:8000/v1"}`,
    });
  }
}

function loadProvider(
  options: ProviderStoreOptions,
  given: { readonly name: string; readonly config: ProviderConfig; readonly from: "api" | "file" },
): Loaded | undefined {
  const { name, config, from } = given;
  const adapter = options.adapters.get(config.adapter);
  const baseUrl = config.baseUrl ?? adapter?.baseUrl;
  if (adapter === undefined || baseUrl === undefined) return undefined;
  const key = readKey(options, name, config.key);
  const reference = referenceName(config.key);
  return {
    provider: {
      name,
      adapter,
      baseUrl,
      ...(key.value === undefined ? {} : { key: key.value }),
      ...(config.headers === undefined ? {} : { headers: config.headers }),
    },
    description: {
      name,
      adapter: adapter.id,
      title: adapter.title,
      baseUrl,
      headers: Object.keys(config.headers ?? {}),
      allowPrivate: config.allowPrivate ?? false,
      from,
      key: {
        kind: config.key.kind,
        ...(reference === undefined ? {} : { name: reference }),
        isSet: key.value !== undefined,
        ...(key.problem === undefined ? {} : { problem: key.problem }),
      },
    },
  };
}

function referenceName(key: KeyReference): string | undefined {
  if (key.kind === "environment") return key.variable;
  return key.kind === "file" ? key.path : undefined;
}

interface ReadKey {
  readonly value?: string;
  readonly problem?: string;
}

function readKey(options: ProviderStoreOptions, name: string, key: KeyReference): ReadKey {
  switch (key.kind) {
    case "none":
      return {};
    case "environment": {
      const value = options.environment[key.variable]?.trim();
      if (value !== undefined && value !== "") return { value };
      return { problem: `the platform was started without ${key.variable} in its environment` };
    }
    case "file":
      return readKeyFile(key.path);
    case "stored": {
      const sealed = options.store.secrets.get(name);
      if (sealed === undefined) return { problem: "no key is stored" };
      const value = options.secrets.open(name, sealed);
      if (value !== undefined) return { value };
      return { problem: `its master key ${sealed.keyId} is gone: give the key again` };
    }
  }
}

function readKeyFile(path: string): ReadKey {
  try {
    const value = readFileSync(path, "utf8").trim();
    if (value === "") return { problem: `${path} is empty` };
    if (value.length > keyLengthMax) return { problem: `${path} holds no key` };
    return { value };
  } catch (error) {
    return { problem: `${path} cannot be read (${(error as NodeJS.ErrnoException).code})` };
  }
}
