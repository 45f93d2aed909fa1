import type { ExportModel, ExportOptions } from "../../../../gateway/index.ts";
import { chatModel, ocrModel } from "../harness.ts";

const million = 1_000_000;

/** One model of each way to be called, with everything that a gateway could be told, and one that has no such way. */
export const exported: readonly ExportModel[] = [
  {
    ...chatModel,
    id: "me/chat",
    description: `Talks: "yes" and 'no'`,
    contextLength: 32_768,
    maxOutputTokens: 4096,
    capabilities: ["tools", "json", "streaming"],
    prices: [
      { unit: "input-token", per: million, usd: "0.15" },
      { unit: "output-token", per: million, usd: "0.6" },
      { unit: "cached-input-token", per: million, usd: "0.075" },
    ],
  },
  {
    ...chatModel,
    id: "@cf/moonshotai/kimi-k2.5",
    description: "A third party's",
    origin: "bundled",
    capabilities: ["reasoning", "vision"],
  },
  {
    ...ocrModel,
    id: "me/vectors",
    description: "",
    task: "text-embeddings",
    requestFormats: ["predictions", "embeddings"],
    prices: [{ unit: "second", per: 1, usd: "0.000225" }],
  },
  {
    ...ocrModel,
    id: "me/painter",
    task: "text-to-image",
    requestFormats: ["predictions", "images"],
    prices: [{ unit: "image", per: 1, usd: "0.04" }],
  },
  { ...ocrModel, id: "me/ocr" },
];

export const exportOptions: ExportOptions = {
  baseUrl: "https://models.example.com",
  name: "byom",
  keyEnv: "BYOM_API_KEY",
};
