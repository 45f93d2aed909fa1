import type { ThirdPartyModel } from "../third-party.ts";
import { tablesOf } from "./table.ts";

const listed = tablesOf("workers-ai", "on Workers AI", {
  source: "models.dev",
  asOf: "2026-07-02",
});
const priced = tablesOf("workers-ai", "on Workers AI", {
  source: "@pydantic/genai-prices 0.1.8",
  asOf: "2026-09-23",
});
const media = tablesOf("workers-ai", "on Workers AI", {
  source: "developers.cloudflare.com/workers-ai/platform/pricing",
  asOf: "2026-05-22",
});

export const workersAi: readonly ThirdPartyModel[] = [
  ...priced.text(`
    @cf/moonshotai/kimi-k2.5                | @cf/moonshotai/kimi-k2.5                | Kimi K2.5              | 2026-01-27 | 256000 | -      | tjvr | 0.6   | 0.1  | 3
    @cf/moonshotai/kimi-k2.6                | @cf/moonshotai/kimi-k2.6                | Kimi K2.6              | 2026-04-21 | 262144 | 256000 | tjvr | 0.95  | 0.16 | 4
    @cf/moonshotai/kimi-k2.7-code           | @cf/moonshotai/kimi-k2.7-code           | Kimi K2.7 Code         | 2026-06-12 | 262144 | 262144 | tjvr | 0.95  | 0.19 | 4
    @cf/zai-org/glm-5.2                     | @cf/zai-org/glm-5.2                     | GLM-5.2                | 2026-06-13 | 262144 | 262144 | tjr  | 1.4   | 0.26 | 4.4
    @cf/zai-org/glm-4.7-flash               | @cf/zai-org/glm-4.7-flash               | GLM-4.7-Flash          | 2026-01-19 | 131072 | 131072 | tjr  | 0.06  | -    | 0.4
  `),
  ...listed.text(`
    @cf/openai/gpt-oss-120b                 | @cf/openai/gpt-oss-120b                 | gpt-oss-120b           | 2025-08-05 | 128000 | 16384  | tjr  | 0.35  | -    | 0.75
    @cf/openai/gpt-oss-20b                  | @cf/openai/gpt-oss-20b                  | gpt-oss-20b            | 2025-08-05 | 128000 | 16384  | tjr  | 0.2   | -    | 0.3
    @cf/nvidia/nemotron-3-120b-a12b         | @cf/nvidia/nemotron-3-120b-a12b         | Nemotron 3 Super 120B  | 2026-03-11 | 256000 | 256000 | tjr  | 0.5   | -    | 1.5
    @cf/google/gemma-4-26b-a4b-it           | @cf/google/gemma-4-26b-a4b-it           | Gemma 4 26B A4B        | 2026-04-02 | 256000 | 16384  | tjvr | 0.1   | -    | 0.3
    @cf/meta/llama-4-scout-17b-16e-instruct | @cf/meta/llama-4-scout-17b-16e-instruct | Llama 4 Scout          | 2025-04-05 | 131000 | -      | tv   | 0.27  | -    | 0.85
    @cf/meta/llama-3.3-70b-instruct-fp8-fast | @cf/meta/llama-3.3-70b-instruct-fp8-fast | Llama 3.3 70B        | 2024-12-06 | 24000  | 24000  | t    | 0.293 | -    | 2.253
    @cf/meta/llama-3.2-3b-instruct          | @cf/meta/llama-3.2-3b-instruct          | Llama 3.2 3B           | 2024-09-25 | 80000  | 80000  | -    | 0.0509 | -   | 0.335
    @cf/meta/llama-3.1-8b-instruct-fp8      | @cf/meta/llama-3.1-8b-instruct-fp8      | Llama 3.1 8B           | 2024-07-25 | 32000  | 32000  | -    | 0.152 | -    | 0.287
    @cf/mistralai/mistral-small-3.1-24b-instruct | @cf/mistralai/mistral-small-3.1-24b-instruct | Mistral Small 3.1 | 2025-03-18 | 128000 | 128000 | t | 0.351 | -   | 0.555
    @cf/qwen/qwen3-30b-a3b-fp8              | @cf/qwen/qwen3-30b-a3b-fp8              | Qwen3 30B A3B          | 2025-04-30 | 32768  | 32768  | tr   | 0.0509 | -   | 0.335
    @cf/qwen/qwen2.5-coder-32b-instruct     | @cf/qwen/qwen2.5-coder-32b-instruct     | Qwen2.5 Coder 32B      | 2025-02-27 | 32768  | 32768  | -    | 0.66  | -    | 1
  `),
  ...priced.media(
    "text-embeddings",
    `
    @cf/baai/bge-m3               | @cf/baai/bge-m3               | BGE-M3               | 2024-05-22 | input-token 0.012/1000000 | Embeddings in over a hundred languages
    @cf/baai/bge-base-en-v1.5     | @cf/baai/bge-base-en-v1.5     | BGE Base             | 2023-09-25 | input-token 0.067/1000000 | English embeddings of 768 dimensions
    @cf/baai/bge-large-en-v1.5    | @cf/baai/bge-large-en-v1.5    | BGE Large            | 2023-11-07 | input-token 0.204/1000000 | English embeddings of 1024 dimensions
    @cf/qwen/qwen3-embedding-0.6b | @cf/qwen/qwen3-embedding-0.6b | Qwen3 Embedding 0.6B | 2025-11-17 | input-token 0.012/1000000 | Embeddings in many languages
  `,
  ),
  ...media.media(
    "text-to-image",
    `
    @cf/black-forest-labs/flux-1-schnell | @cf/black-forest-labs/flux-1-schnell | FLUX.1 schnell | 2024-08-29 | - | Images from text in a few steps
    @cf/leonardo/lucid-origin            | @cf/leonardo/lucid-origin            | Lucid Origin   | 2025-08-25 | - | Images from text in many styles
    @cf/leonardo/phoenix-1.0             | @cf/leonardo/phoenix-1.0             | Phoenix 1.0    | 2025-08-25 | - | Images that keep close to the prompt
  `,
  ),
  ...media.media(
    "automatic-speech-recognition",
    `
    @cf/openai/whisper-large-v3-turbo | @cf/openai/whisper-large-v3-turbo | Whisper large v3 turbo | 2024-10-01 | second 0.00051/60 | Transcription in many languages
  `,
  ),
  ...media.media(
    "text-to-speech",
    `
    @cf/deepgram/aura-2-en  | @cf/deepgram/aura-2-en  | Aura-2 English | 2025-10-09 | character 0.03/1000   | English speech with natural pacing
    @cf/myshell-ai/melotts  | @cf/myshell-ai/melotts  | MeloTTS        | 2024-07-19 | second 0.000205/60    | Speech in several languages
  `,
  ),
];
