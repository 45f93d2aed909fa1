import type { ThirdPartyModel } from "../third-party.ts";
import { tablesOf } from "./table.ts";

const modelsDev = { source: "models.dev", asOf: "2026-07-02" };
const catalog = {
  source: "cloudflare-docs catalog-models and the provider's price page",
  asOf: "2026-05-22",
};

const qwen = tablesOf("alibaba", "Alibaba", modelsDev);
const alibabaMedia = tablesOf("alibaba", "Alibaba", {
  source: "alibabacloud.com/help/en/model-studio, not confirmed",
  asOf: "2026-05-22",
});

export const alibaba: readonly ThirdPartyModel[] = [
  ...qwen.text(`
    alibaba/qwen3.7-max       | qwen3.7-max       | Qwen3.7 Max       | 2026-05-21 | 1000000 | 65536 | tr   | 2.5    | 0.5  | 7.5
    alibaba/qwen3.7-plus      | qwen3.7-plus      | Qwen3.7 Plus      | 2026-06-02 | 1000000 | 65536 | tvr  | 0.5    | 0.05 | 3
    alibaba/qwen3.6-flash     | qwen3.6-flash     | Qwen3.6 Flash     | 2026-04-27 | 1000000 | 65536 | tjvr | 0.1875 | -    | 1.125
    alibaba/qwen3.5-397b-a17b | qwen3.5-397b-a17b | Qwen3.5 397B-A17B | 2026-02-15 | 262144  | 65536 | tjvr | 0.6    | -    | 3.6
    alibaba/qwen3-max         | qwen3-max         | Qwen3 Max         | 2025-09-23 | 262144  | 65536 | t    | 1.2    | -    | 6
    alibaba/qwen3-coder-plus  | qwen3-coder-plus  | Qwen3 Coder Plus  | 2025-07-23 | 1048576 | 65536 | t    | 1      | -    | 5
    alibaba/qwen3-vl-plus     | qwen3-vl-plus     | Qwen3-VL Plus     | 2025-09-23 | 262144  | 32768 | tvr  | 0.2    | -    | 1.6
    alibaba/qwen-plus         | qwen-plus         | Qwen Plus         | 2024-01-25 | 1000000 | 32768 | tr   | 0.4    | -    | 1.2
    alibaba/qwen-flash        | qwen-flash        | Qwen Flash        | 2025-07-28 | 1000000 | 32768 | tr   | 0.05   | -    | 0.4
  `),
  ...qwen.media(
    "automatic-speech-recognition",
    `
    alibaba/qwen3-asr-flash | qwen3-asr-flash | Qwen3-ASR Flash | 2025-09-08 | second 0.000035 | Transcription of short recordings
  `,
  ),
  ...alibabaMedia.media(
    "text-embeddings",
    `
    alibaba/text-embedding-v4 | text-embedding-v4 | Text Embedding v4 | 2025-06-05 | input-token 0.07/1000000 | Embeddings in many languages
  `,
  ),
  ...alibabaMedia.media(
    "text-to-image",
    `
    alibaba/wan-2.6-image | wan2.6-t2i      | Wan 2.6       | 2025-12-16 | image 0.03  | Images from text
    alibaba/qwen-image    | qwen-image-plus | Qwen-Image    | 2025-08-04 | image 0.03  | Images from text, strong at Chinese and English writing
  `,
  ),
  ...alibabaMedia.media(
    "text-to-video",
    `
    alibaba/wan-2.6-t2v | wan2.6-t2v | Wan 2.6 text to video | 2025-12-16 | second 0.1 | Videos from text, up to 15 seconds
  `,
  ),
  ...alibabaMedia.media(
    "image-to-video",
    `
    alibaba/wan-2.6-i2v | wan2.6-i2v | Wan 2.6 image to video | 2025-12-16 | second 0.1 | Videos that begin with an image
  `,
  ),
];

const seed = tablesOf("bytedance", "ByteDance", catalog);

export const bytedance: readonly ThirdPartyModel[] = [
  ...seed.media(
    "text-to-image",
    `
    bytedance/seedream-4.0    | seedream-4-0-250828    | Seedream 4.0    | 2025-08-28 | image 0.03  | Images from text and other images, up to 4K
    bytedance/seedream-4.5    | seedream-4-5-251128    | Seedream 4.5    | 2025-11-28 | image 0.04  | Images from text and several other images
    bytedance/seedream-5-lite | seedream-5-0-lite-260128 | Seedream 5 Lite | 2026-01-28 | image 0.035 | Images from text and other images, fast
  `,
  ),
  ...seed.media(
    "text-to-video",
    `
    bytedance/seedance-2.0      | dreamina-seedance-2-0-260128      | Seedance 2.0      | 2026-01-28 | second 0.15 | Videos with sound from text, images and video
    bytedance/seedance-2.0-fast | dreamina-seedance-2-0-fast-260128 | Seedance 2.0 Fast | 2026-01-28 | -           | Videos with sound, sooner
    bytedance/seedance-1.0-pro  | seedance-1-0-pro-250528           | Seedance 1.0 Pro  | 2025-05-28 | -           | Videos of several shots
  `,
  ),
];

const minimaxText = tablesOf("minimax", "MiniMax", modelsDev);
const minimaxMedia = tablesOf("minimax", "MiniMax", catalog);

export const minimax: readonly ThirdPartyModel[] = [
  ...minimaxText.text(`
    minimax/m3             | MiniMax-M3             | MiniMax-M3             | 2026-06-01 | 1000000 | 128000 | tvr | 0.3 | 0.06 | 1.2
    minimax/m2.7           | MiniMax-M2.7           | MiniMax-M2.7           | 2026-03-18 | 204800  | 131072 | tr  | 0.3 | 0.06 | 1.2
    minimax/m2.7-highspeed | MiniMax-M2.7-highspeed | MiniMax-M2.7-highspeed | 2026-03-18 | 204800  | 131072 | tr  | 0.6 | 0.06 | 2.4
    minimax/m2.5           | MiniMax-M2.5           | MiniMax-M2.5           | 2026-02-12 | 204800  | 131072 | tr  | 0.3 | 0.03 | 1.2
  `),
  ...minimaxMedia.media(
    "text-to-speech",
    `
    minimax/speech-2.8-hd    | speech-2.8-hd    | Speech 2.8 HD    | 2026-01-23 | character 0.0001  | Speech of studio quality with emotions, over 40 languages
    minimax/speech-2.8-turbo | speech-2.8-turbo | Speech 2.8 Turbo | 2026-01-23 | character 0.00006 | Speech with emotions, sooner
  `,
  ),
  ...minimaxMedia.media(
    "text-to-video",
    `
    minimax/hailuo-2.3 | MiniMax-Hailuo-2.3, replicate:minimax/hailuo-2.3 | Hailuo 2.3 | 2025-10-28 | second 0.047 | Videos with realistic movement
  `,
  ),
  ...minimaxMedia.media(
    "image-to-video",
    `
    minimax/hailuo-2.3-fast | MiniMax-Hailuo-2.3-Fast | Hailuo 2.3 Fast | 2025-10-28 | second 0.032 | Videos that begin with an image, sooner
  `,
  ),
  ...minimaxMedia.media(
    "text-to-image",
    `
    minimax/image-01 | image-01 | Image-01 | 2025-02-15 | image 0.0035 | Images from text at low cost
  `,
  ),
];
