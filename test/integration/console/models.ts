import type { CatalogEntry } from "../../../gateway/index.ts";
import { chatModel, ocrModel } from "../../unit/gateway/harness.ts";

/** Markup and script in every place where a model's author can write. */
export const attack = `<img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>"'>`;

const uri = { type: "string", format: "uri" } as const;

export const painter: CatalogEntry = {
  ...ocrModel,
  id: "acme/painter",
  description: "Paints pictures",
  task: "text-to-image",
  inputSchema: {
    type: "object",
    required: ["prompt"],
    properties: {
      prompt: { type: "string", "x-order": 0, description: "What to paint" },
      steps: { type: "integer", minimum: 1, maximum: 50, default: 20, "x-order": 1 },
      guidance: { type: "number", "x-order": 2 },
      tiled: { type: "boolean", default: false, "x-order": 3 },
      style: { allOf: [{ $ref: "#/components/schemas/style" }], default: "oil", "x-order": 4 },
      words: { type: "array", items: { type: "string" }, "x-order": 5 },
      reference: { ...uri, "x-order": 6 },
      extra: { type: "object", "x-order": 7 },
      seed: { anyOf: [{ type: "integer" }, { type: "null" }], "x-order": 8 },
    },
    components: { schemas: { style: { type: "string", enum: ["oil", "ink"] } } },
  },
  outputSchema: uri,
};

export const speaker: CatalogEntry = {
  ...painter,
  id: "acme/speaker",
  description: "Reads text aloud",
  example: { input: { text: "hush" } },
  task: "text-to-speech",
  inputSchema: { type: "object", required: ["text"], properties: { text: { type: "string" } } },
};

export const hostile: CatalogEntry = {
  ...speaker,
  id: "mallory/evil",
  description: attack,
  task: "other",
  inputSchema: {
    type: "object",
    properties: { [attack]: { type: "string", description: attack, default: attack } },
  },
  outputSchema: { type: "string" },
};

export const models: readonly CatalogEntry[] = [chatModel, ocrModel, painter, speaker, hostile];

/** One red pixel. */
export const picture =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

/** A tenth of a second of silence, as WAV. */
export function silence(): string {
  const rate = 8000;
  const samples = Buffer.alloc(rate / 10, 0x80);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.length, 40);
  return `data:audio/wav;base64,${Buffer.concat([head, samples]).toString("base64")}`;
}
