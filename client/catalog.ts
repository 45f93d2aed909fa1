import { withSignal, type Transport } from "./transport.ts";

/** A model as the catalog lists it. */
export interface CatalogModel {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly source: number;
  readonly task: { readonly id: string; readonly name: string; readonly description: string };
  readonly tags: readonly string[];
  readonly properties: readonly { readonly property_id: string; readonly value: unknown }[];
  readonly created_at: string;
  readonly schema: ModelSchema;
}

/** JSON Schemas of what a model takes and gives. */
export interface ModelSchema {
  readonly input: Readonly<Record<string, unknown>>;
  readonly output: Readonly<Record<string, unknown>>;
}

export interface ModelSearch {
  readonly search?: string;
  readonly task?: string;
  readonly author?: string;
  readonly source?: number | string;
  readonly hide_experimental?: boolean;
  readonly include_deprecated?: boolean;
  readonly page?: number;
  readonly per_page?: number;
}

export interface ModelPage {
  readonly models: readonly CatalogModel[];
  readonly page: number;
  readonly perPage: number;
  readonly totalCount: number;
}

export interface Catalog {
  list(options?: ModelSearch & { readonly signal?: AbortSignal }): Promise<ModelPage>;
  search(
    text: string,
    options?: ModelSearch & { readonly signal?: AbortSignal },
  ): Promise<ModelPage>;
  /** Undefined when there is no such model, or this key may not call it. */
  get(name: string, options?: { readonly signal?: AbortSignal }): Promise<CatalogModel | undefined>;
  schema(name: string, options?: { readonly signal?: AbortSignal }): Promise<ModelSchema>;
}

const root = "/client/v4/accounts/local/ai";

export function createCatalog(transport: Transport): Catalog {
  const list: Catalog["list"] = async ({ signal, ...search } = {}) => {
    const path = `${root}/models/search?${searchQuery(search)}`;
    const { result, result_info: info } = (await transport.json(path, withSignal(signal))) as {
      readonly result: readonly CatalogModel[];
      readonly result_info: { page: number; per_page: number; total_count: number };
    };
    return {
      models: result,
      page: info.page,
      perPage: info.per_page,
      totalCount: info.total_count,
    };
  };
  return {
    list,
    search: (text, options) => list({ ...options, search: text }),
    async get(name, options) {
      const { models } = await list({ ...options, search: name, include_deprecated: true });
      return models.find((model) => model.name === name);
    },
    async schema(name, options) {
      const path = `${root}/models/schema?model=${encodeURIComponent(name)}`;
      const { result } = (await transport.json(path, withSignal(options?.signal))) as {
        readonly result: ModelSchema;
      };
      return result;
    },
  };
}

export function searchQuery(search: ModelSearch): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}
