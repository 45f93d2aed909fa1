import { createHash } from "node:crypto";

import type { CatalogEntry, Price, Task } from "../entry.ts";
import { nameOf } from "../view.ts";

/** One result of Workers AI's `models/search`. Values of properties are strings, but for the list of prices. */
export interface CloudflareModel {
  readonly id: string;
  /** 1: served by this platform itself; 2: by a third party. */
  readonly source: 1 | 2;
  readonly name: string;
  readonly description: string;
  readonly task: { readonly id: string; readonly name: string; readonly description: string };
  readonly created_at: string;
  readonly tags: readonly string[];
  readonly properties: readonly { readonly property_id: string; readonly value: unknown }[];
  readonly schema: { readonly input: unknown; readonly output: unknown };
}

/** Tasks as Workers AI writes them. */
export const cloudflareTaskNames: Readonly<Record<Task, string>> = {
  "text-generation": "Text Generation",
  "image-to-text": "Image-to-Text",
  "text-to-image": "Text-to-Image",
  "image-to-image": "Image-to-Image",
  "text-to-speech": "Text-to-Speech",
  "automatic-speech-recognition": "Automatic Speech Recognition",
  "text-to-video": "Text-to-Video",
  "image-to-video": "Image-to-Video",
  "text-embeddings": "Text Embeddings",
  other: "Other",
};

export function cloudflareModels(entries: readonly CatalogEntry[]): readonly CloudflareModel[] {
  return entries.map((entry) => ({
    id: uuidOf(entry.id),
    source: entry.origin === undefined ? 1 : 2,
    name: entry.id,
    description: entry.description,
    task: {
      id: uuidOf(`task:${entry.task}`),
      name: cloudflareTaskNames[entry.task],
      description: "",
    },
    created_at: entry.createdAt,
    tags: entry.tags ?? [],
    properties: cloudflareProperties(entry),
    schema: { input: entry.inputSchema, output: entry.outputSchema },
  }));
}

/** What the search says of a model beyond its schema: prices, context, abilities, and where it runs. */
export function cloudflareProperties(entry: CatalogEntry): CloudflareModel["properties"] {
  const { capabilities = [], contextLength, prices = [] } = entry;
  const flag = (name: string, isSet: boolean): readonly [string, unknown][] =>
    isSet ? [[name, "true"]] : [];
  const values: readonly (readonly [string, unknown])[] = [
    ["display_name", nameOf(entry)],
    ...(contextLength === undefined ? [] : [["context_window", String(contextLength)] as const]),
    ...flag("function_calling", capabilities.includes("tools")),
    ...flag("reasoning", capabilities.includes("reasoning")),
    ...flag("vision", capabilities.includes("vision")),
    ...(prices.length === 0 ? [] : [["price", prices.map(cloudflarePrice)] as const]),
    ...(entry.hardware === "" ? [] : [["hardware", entry.hardware] as const]),
    ["version", String(entry.version)],
    ["digest", entry.digest],
  ];
  return values.map(([property_id, value]) => ({ property_id, value }));
}

function cloudflarePrice({ unit, per, usd }: Price): {
  readonly unit: string;
  readonly price: number;
  readonly currency: "USD";
} {
  const amounts: Readonly<Record<number, string>> = { 1: "", 1_000: "1k ", 1_000_000: "M " };
  const name = `${unit.replaceAll("-", " ")}${per === 1 ? "" : "s"}`;
  return { unit: `per ${amounts[per] ?? `${per} `}${name}`, price: Number(usd), currency: "USD" };
}

/** A stable UUID for a name, as clients expect an id of that form (RFC 9562, version 8: own scheme). */
function uuidOf(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
