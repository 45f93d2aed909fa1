import type { ThirdPartyModel } from "../third-party.ts";
import { tablesOf } from "./table.ts";

const listed = tablesOf("google", "Google", { source: "models.dev", asOf: "2026-07-02" });
const newer = tablesOf("google", "Google", {
  source: "@pydantic/genai-prices 0.1.8",
  asOf: "2026-09-23",
});
const media = tablesOf("google", "Google", {
  source: "cloudflare-docs catalog-models, models.dev",
  asOf: "2026-07-02",
});

export const google: readonly ThirdPartyModel[] = [
  ...newer.text(`
    google/gemini-3.8-flash      | gemini-3.8-flash       | Gemini 3.8 Flash      | -          | 1000000 | -     | tjvr | 0.75 | 0.075 | 3.75
    google/gemini-3.7-flash      | gemini-3.7-flash       | Gemini 3.7 Flash      | -          | 1000000 | -     | tjvr | 0.75 | 0.075 | 3.75
    google/gemini-3.6-flash      | gemini-3.6-flash       | Gemini 3.6 Flash      | -          | 1000000 | -     | tjvr | 0.75 | 0.075 | 3.75
    google/gemini-3.5-flash-lite | gemini-3.5-flash-lite  | Gemini 3.5 Flash-Lite | -          | 1000000 | -     | tjvr | 0.3  | 0.03  | 2.5
  `),
  ...listed.text(`
    google/gemini-3.5-flash      | gemini-3.5-flash       | Gemini 3.5 Flash      | 2026-05-19 | 1048576 | 65536 | tjvr | 1.5  | 0.15  | 9
    google/gemini-3.1-pro        | gemini-3.1-pro-preview | Gemini 3.1 Pro        | 2026-02-19 | 1048576 | 65536 | tjvr | 2    | 0.2   | 12
    google/gemini-3.1-flash-lite | gemini-3.1-flash-lite  | Gemini 3.1 Flash-Lite | 2026-05-07 | 1048576 | 65536 | tjvr | 0.25 | 0.025 | 1.5
    google/gemini-3-flash        | gemini-3-flash-preview | Gemini 3 Flash        | 2025-12-17 | 1048576 | 65536 | tjvr | 0.5  | 0.05  | 3
    google/gemini-2.5-pro        | gemini-2.5-pro         | Gemini 2.5 Pro        | 2025-06-17 | 1048576 | 65536 | tjvr | 1.25 | 0.125 | 10
    google/gemini-2.5-flash      | gemini-2.5-flash       | Gemini 2.5 Flash      | 2025-06-17 | 1048576 | 65536 | tjvr | 0.3  | 0.03  | 2.5
    google/gemini-2.5-flash-lite | gemini-2.5-flash-lite  | Gemini 2.5 Flash-Lite | 2025-06-17 | 1048576 | 65536 | tjvr | 0.1  | 0.01  | 0.4
  `),
  ...media.media(
    "text-embeddings",
    `
    google/gemini-embedding-001 | gemini-embedding-001 | Gemini Embedding | 2025-05-20 | input-token 0.15/1000000 | Embeddings in over a hundred languages
  `,
  ),
  ...media.media(
    "text-to-image",
    `
    google/nano-banana     | gemini-2.5-flash-image         | Nano Banana     | 2025-08-26 | input-token 0.3/1000000, output-token 30/1000000 | Images from text and other images
    google/nano-banana-2   | gemini-3.1-flash-image-preview | Nano Banana 2   | 2026-02-26 | input-token 0.5/1000000, output-token 60/1000000 | Images from text and other images, up to 4K
    google/nano-banana-pro | gemini-3-pro-image-preview     | Nano Banana Pro | 2025-11-20 | input-token 2/1000000, output-token 120/1000000 | Images with close attention to the prompt
    google/imagen-4        | imagen-4.0-generate-001, replicate:google/imagen-4 | Imagen 4 | 2025-08-14 | image 0.04 | Photorealistic images from text
  `,
  ),
  ...media.media(
    "text-to-video",
    `
    google/veo-3.1      | veo-3.1-generate-preview, replicate:google/veo-3.1           | Veo 3.1      | 2025-10-15 | second 0.4 | Videos with sound, up to 8 seconds
    google/veo-3.1-fast | veo-3.1-fast-generate-preview, replicate:google/veo-3.1-fast | Veo 3.1 Fast | 2025-10-15 | second 0.15 | Videos with sound, sooner
  `,
  ),
  ...media.media(
    "text-to-speech",
    `
    google/gemini-2.5-flash-tts | gemini-2.5-flash-preview-tts | Gemini 2.5 Flash TTS | 2025-05-01 | input-token 0.5/1000000, output-token 10/1000000 | Speech whose style can be described
    google/gemini-2.5-pro-tts   | gemini-2.5-pro-preview-tts   | Gemini 2.5 Pro TTS   | 2025-05-01 | input-token 1/1000000, output-token 20/1000000 | Speech of higher quality
  `,
  ),
];
