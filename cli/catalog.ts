import type { Catalog, CatalogEntry } from "../gateway/index.ts";
import type { Runtime, Version } from "../runtime/index.ts";

/** The runtime's models as the gateway's catalog: read from memory at each call, so a deploy shows at once. */
export function createCatalog(runtime: Runtime): Catalog {
  const get = (modelId: string): CatalogEntry | undefined => {
    const version = runtime.models().find(({ id }) => id === modelId)?.live;
    return version === undefined ? undefined : toEntry(version);
  };
  const live = (): readonly CatalogEntry[] =>
    runtime.models().flatMap((model) => (model.live === undefined ? [] : [toEntry(model.live)]));
  return {
    get,
    list: live,
    versions: (modelId) => {
      const current = get(modelId);
      if (current === undefined) return [];
      const others = runtime
        .versions(modelId)
        .filter((version) => version.number !== current.version);
      return [current, ...others.map(toEntry)];
    },
  };
}

function toEntry(version: Version): CatalogEntry {
  return {
    id: version.modelId,
    description: version.card.description,
    task: version.card.task,
    inputSchema: version.inputSchema,
    outputSchema: version.outputSchema,
    isStreaming: version.isStreaming,
    requestFormats: version.card.requestFormats,
    ...(version.example !== undefined && { example: version.example }),
    hardware: version.hardware,
    version: version.number,
    digest: version.digest,
    createdAt: version.createdAt,
  };
}
