import type { ThirdPartyModel } from "../third-party.ts";
import { tablesOf } from "./table.ts";

const catalog = {
  source: "cloudflare-docs catalog-models and the provider's price page",
  asOf: "2026-05-22",
};

const assemblyAi = tablesOf("assemblyai", "AssemblyAI", {
  source: "assemblyai.com/pricing",
  asOf: "2026-10-07",
});
const inworldTts = tablesOf("inworld", "Inworld", catalog);
const pixverseVideo = tablesOf("pixverse", "PixVerse", {
  source: "docs.platform.pixverse.ai as quoted by resellers, not confirmed",
  asOf: "2026-07-23",
});
const recraftImages = tablesOf("recraft", "Recraft", catalog);
const runwayTasks = tablesOf("runway", "Runway", {
  source: "docs.dev.runwayml.com pricing, not confirmed",
  asOf: "2026-05-22",
});
const viduVideo = tablesOf("vidu", "Vidu", catalog);

export const assemblyai: readonly ThirdPartyModel[] = assemblyAi.media(
  "automatic-speech-recognition",
  `
  assemblyai/universal-3-pro | universal-3-pro | Universal-3 Pro | 2026-02-03 | second 0.21/3600 | Transcription of high accuracy in six languages
  assemblyai/universal-2     | universal-2     | Universal-2     | 2024-10-31 | second 0.15/3600 | Transcription in 99 languages
  `,
);

export const inworld: readonly ThirdPartyModel[] = inworldTts.media(
  "text-to-speech",
  `
  inworld/tts-1.5-max  | inworld-tts-1.5-max  | Inworld TTS 1.5 Max  | 2026-01-21 | character 0.000035 | Expressive speech in 15 languages
  inworld/tts-1.5-mini | inworld-tts-1.5-mini | Inworld TTS 1.5 Mini | 2026-01-21 | -                  | Speech with very low latency
  inworld/tts-2        | inworld-tts-2        | Inworld TTS 2        | -          | -                  | Speech that can be directed in words
  `,
);

export const pixverse: readonly ThirdPartyModel[] = [
  ...pixverseVideo.media(
    "text-to-video",
    `
    pixverse/v6   | v6   | PixVerse v6   | 2026-03-30 | second 0.12   | Videos with sound, from 1 to 15 seconds
    pixverse/v5.6 | v5.6 | PixVerse v5.6 | 2026-01-27 | second 0.0996 | Videos with sound, up to 1080p
    pixverse/v5.5 | v5.5 | PixVerse v5.5 | 2025-12-01 | -             | Videos of several shots
  `,
  ),
];

export const recraft: readonly ThirdPartyModel[] = recraftImages.media(
  "text-to-image",
  `
  recraft/recraftv4     | recraftv4                                     | Recraft V4     | 2026-02-18 | image 0.04 | Art-directed images with accurate writing
  recraft/recraftv4-pro | recraftv4_pro                                 | Recraft V4 Pro | 2026-02-18 | image 0.25 | The same at 2048 pixels and more
  recraft/recraftv3     | recraftv3, replicate:recraft-ai/recraft-v3    | Recraft V3     | 2024-10-30 | image 0.04 | Images in chosen styles with accurate writing
  recraft/recraftv3-svg | recraftv3_vector, replicate:recraft-ai/recraft-v3-svg | Recraft V3 SVG | 2024-10-30 | image 0.08 | Vector graphics from text
  `,
);

export const runway: readonly ThirdPartyModel[] = [
  ...runwayTasks.media(
    "text-to-video",
    `
    runway/gen-4.5 | gen4.5 | Gen-4.5 | 2025-12-01 | second 0.12 | Videos from text or an image, up to 10 seconds
  `,
  ),
  ...runwayTasks.media(
    "image-to-video",
    `
    runway/gen-4-turbo | gen4_turbo | Gen-4 Turbo | 2025-04-17 | second 0.05 | Videos that begin with an image, fast
  `,
  ),
  ...runwayTasks.media(
    "text-to-image",
    `
    runway/gen-4-image | gen4_image | Gen-4 Image | 2025-05-16 | image 0.05 | Images that keep persons and places of reference images
  `,
  ),
];

export const vidu: readonly ThirdPartyModel[] = viduVideo.media(
  "text-to-video",
  `
  vidu/q3-pro   | viduq3-pro   | Vidu Q3 Pro   | 2026-01-30 | second 0.125 | Videos with sound from text or images, up to 16 seconds
  vidu/q3-turbo | viduq3-turbo | Vidu Q3 Turbo | 2026-01-30 | -            | The same, sooner
  vidu/q2       | viduq2       | Vidu Q2       | 2025-09-25 | -            | Videos from text or images
  `,
);
