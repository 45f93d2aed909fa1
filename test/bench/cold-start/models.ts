import { readFile } from "node:fs/promises";

/** A model that the benchmark deploys. */
export interface Model {
  readonly id: string;
  readonly name: string;
  /** A template's or a fixture's folder. */
  readonly source: URL;
  readonly input: () => Promise<Record<string, unknown>>;
  /** Times faster than cold that DESIGN asks for; undefined: none is set. */
  readonly goalRatio?: number;
}

export const models: readonly Model[] = [
  {
    id: "bench/ocr",
    name: "RapidOCR (onnxruntime)",
    source: folder("templates/ocr"),
    input: async () => ({ image: await dataUri("templates/ocr/example.png") }),
    goalRatio: 3.5,
  },
  {
    id: "bench/chat",
    name: "SmolLM2-135M (llama.cpp)",
    source: folder("templates/chat"),
    input: async () => ({ prompt: "Say hello.", max_tokens: 4, temperature: 0 }),
  },
  {
    id: "bench/torch",
    name: "torch at GPT-2 size",
    source: folder("test/fixtures/torch-gpt2"),
    input: async () => ({ text: "Hi", tokens: 1 }),
    goalRatio: 5,
  },
  {
    id: "bench/index",
    name: "search index (8 s of setup)",
    source: folder("test/fixtures/search-index"),
    input: async () => ({ query: "mo ta ri" }),
    goalRatio: 10,
  },
];

function folder(path: string): URL {
  return new URL(`../../../${path}`, import.meta.url);
}

async function dataUri(path: string): Promise<string> {
  const bytes = await readFile(folder(path));
  return `data:image/png;base64,${bytes.toString("base64")}`;
}
