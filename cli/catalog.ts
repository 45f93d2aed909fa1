import {
  chatCapabilities,
  chatFormats,
  mediaFormats,
  type Catalog,
  type CatalogEntry,
} from "../gateway/index.ts";
import type { Runtime, Version } from "../runtime/index.ts";

/**
 * The runtime's models as the gateway's catalog: read from memory at each call, so a deploy shows at once. A version's
 * entry is made once: a look-up is one look in a map.
 */
export function createCatalog(
  runtime: Pick<Runtime, "live" | "models" | "versions">,
): Required<Catalog> {
  const entries = new WeakMap<Version, CatalogEntry>();
  const entryOf = (version: Version): CatalogEntry => {
    const known = entries.get(version);
    if (known !== undefined) return known;
    const entry = toEntry(version);
    entries.set(version, entry);
    return entry;
  };
  const get = (modelId: string): CatalogEntry | undefined => {
    const version = runtime.live(modelId);
    return version === undefined ? undefined : entryOf(version);
  };
  return {
    get,
    list: () => runtime.models().flatMap(({ live }) => (live === undefined ? [] : [entryOf(live)])),
    versions: (modelId) => {
      const current = get(modelId);
      if (current === undefined) return [];
      const others = runtime
        .versions(modelId)
        .filter((version) => version.number !== current.version);
      return [current, ...others.map(entryOf)];
    },
  };
}

function toEntry(version: Version): CatalogEntry {
  const { requestFormats, mapping, modalities } = version.card;
  const entry: CatalogEntry = {
    id: version.modelId,
    description: version.card.description,
    task: version.card.task,
    inputSchema: version.inputSchema,
    outputSchema: version.outputSchema,
    isStreaming: version.isStreaming,
    requestFormats,
    ...(mapping !== undefined && { mapping }),
    ...(version.example !== undefined && { example: version.example }),
    hardware: version.hardware,
    version: version.number,
    digest: version.digest,
    createdAt: version.createdAt,
  };
  const formats = chatFormats(entry);
  const output = formats.length > 0 ? (["text"] as const) : [];
  const said: CatalogEntry = {
    ...entry,
    requestFormats: [...new Set([...requestFormats, ...formats, ...mediaFormats(entry)])],
    ...(modalities !== undefined && { modalities: { input: modalities, output } }),
  };
  const capabilities = chatCapabilities(said);
  return capabilities.length === 0 ? said : { ...said, capabilities };
}
