import { withSignal, type Transport } from "./transport.ts";

/** A file in the platform's store; its URL can be an input of any model. */
export interface AiFile {
  readonly id: string;
  readonly name: string;
  readonly content_type: string;
  /** Bytes. */
  readonly size: number;
  readonly created_at: string;
  readonly urls: { readonly get: string };
}

interface Cancelable {
  readonly signal?: AbortSignal;
}

export interface Files {
  create(
    content: Blob | ArrayBuffer | Uint8Array,
    options?: Cancelable & { readonly name?: string; readonly contentType?: string },
  ): Promise<AiFile>;
  get(id: string, options?: Cancelable): Promise<AiFile>;
  delete(id: string, options?: Cancelable): Promise<void>;
}

export function createFiles(transport: Transport): Files {
  const path = (id: string): string => `/v1/files/${encodeURIComponent(id)}`;
  return {
    async create(content, { name, contentType, signal } = {}) {
      const form = new FormData();
      const type = contentType ?? (content instanceof Blob ? content.type : "");
      const blob = new Blob([content instanceof Uint8Array ? new Uint8Array(content) : content], {
        type,
      });
      const given = content instanceof File ? content.name : undefined;
      form.set("content", blob, name ?? given ?? "file");
      const init = { method: "POST", body: form, ...withSignal(signal) };
      return (await transport.json("/v1/files", init)) as AiFile;
    },
    async get(id, options) {
      return (await transport.json(path(id), withSignal(options?.signal))) as AiFile;
    },
    async delete(id, options) {
      await transport.json(path(id), { method: "DELETE", ...withSignal(options?.signal) });
    },
  };
}
