import type { ThirdPartyModel } from "../third-party.ts";
import { tablesOf } from "./table.ts";

const listed = tablesOf("openai", "OpenAI", { source: "models.dev", asOf: "2026-07-02" });
const newer = tablesOf("openai", "OpenAI", {
  source: "@pydantic/genai-prices 0.1.8",
  asOf: "2026-09-23",
});
const media = tablesOf("openai", "OpenAI", {
  source: "openai.com/api/pricing, @pydantic/genai-prices 0.1.8",
  asOf: "2026-09-23",
});

export const openai: readonly ThirdPartyModel[] = [
  ...newer.text(`
    openai/gpt-6-astra   | gpt-6-astra   | GPT-6 Astra   | -          | 1050000 | -      | tjvr | 10   | 1     | 50
    openai/gpt-6-sol     | gpt-6-sol     | GPT-6 Sol     | -          | 1050000 | -      | tjvr | 2    | 0.2   | 10
    openai/gpt-6-luna    | gpt-6-luna    | GPT-6 Luna    | -          | 1050000 | -      | tjvr | 0.1  | 0.01  | 0.5
    openai/gpt-5.6-sol   | gpt-5.6-sol   | GPT-5.6 Sol   | -          | 1050000 | -      | tjvr | 5    | 0.5   | 30
    openai/gpt-5.6-terra | gpt-5.6-terra | GPT-5.6 Terra | -          | 1050000 | -      | tjvr | 2.5  | 0.25  | 15
    openai/gpt-5.6-luna  | gpt-5.6-luna  | GPT-5.6 Luna  | -          | 1050000 | -      | tjvr | 1    | 0.1   | 6
  `),
  ...listed.text(`
    openai/gpt-5.5       | gpt-5.5       | GPT-5.5       | 2026-04-23 | 1050000 | 128000 | tjvr | 5    | 0.5   | 30
    openai/gpt-5.4       | gpt-5.4       | GPT-5.4       | 2026-03-05 | 1050000 | 128000 | tjvr | 2.5  | 0.25  | 15
    openai/gpt-5.4-mini  | gpt-5.4-mini  | GPT-5.4 mini  | 2026-03-17 | 400000  | 128000 | tjvr | 0.75 | 0.075 | 4.5
    openai/gpt-5.4-nano  | gpt-5.4-nano  | GPT-5.4 nano  | 2026-03-17 | 400000  | 128000 | tjvr | 0.2  | 0.02  | 1.25
    openai/gpt-5.2       | gpt-5.2       | GPT-5.2       | 2025-12-11 | 400000  | 128000 | tjvr | 1.75 | 0.175 | 14
    openai/gpt-5.1       | gpt-5.1       | GPT-5.1       | 2025-11-13 | 400000  | 128000 | tjvr | 1.25 | 0.125 | 10
    openai/gpt-5         | gpt-5         | GPT-5         | 2025-08-07 | 400000  | 128000 | tjvr | 1.25 | 0.125 | 10
    openai/gpt-5-mini    | gpt-5-mini    | GPT-5 mini    | 2025-08-07 | 400000  | 128000 | tjvr | 0.25 | 0.025 | 2
    openai/gpt-5-nano    | gpt-5-nano    | GPT-5 nano    | 2025-08-07 | 400000  | 128000 | tjvr | 0.05 | 0.005 | 0.4
    openai/gpt-4.1       | gpt-4.1       | GPT-4.1       | 2025-04-14 | 1047576 | 32768  | tjv  | 2    | 0.5   | 8
    openai/gpt-4.1-mini  | gpt-4.1-mini  | GPT-4.1 mini  | 2025-04-14 | 1047576 | 32768  | tjv  | 0.4  | 0.1   | 1.6
    openai/gpt-4o        | gpt-4o        | GPT-4o        | 2024-05-13 | 128000  | 16384  | tjv  | 2.5  | 1.25  | 10
    openai/gpt-4o-mini   | gpt-4o-mini   | GPT-4o mini   | 2024-07-18 | 128000  | 16384  | tjv  | 0.15 | 0.075 | 0.6
    openai/o3            | o3            | o3            | 2025-04-16 | 200000  | 100000 | tjvr | 2    | 0.5   | 8
    openai/o4-mini       | o4-mini       | o4-mini       | 2025-04-16 | 200000  | 100000 | tjvr | 1.1  | 0.275 | 4.4
  `),
  ...media.media(
    "text-embeddings",
    `
    openai/text-embedding-3-large | text-embedding-3-large | text-embedding-3-large | 2024-01-25 | input-token 0.13/1000000 | Embeddings of 3072 dimensions, which can be cut
    openai/text-embedding-3-small | text-embedding-3-small | text-embedding-3-small | 2024-01-25 | input-token 0.02/1000000 | Embeddings of 1536 dimensions, which can be cut
  `,
  ),
  ...media.media(
    "text-to-image",
    `
    openai/gpt-image-2      | gpt-image-2      | GPT Image 2      | 2026-04-21 | input-token 5/1000000, output-token 30/1000000 | Images from text, with readable writing in them
    openai/gpt-image-1.5    | gpt-image-1.5    | GPT Image 1.5    | 2025-11-25 | input-token 5/1000000, output-token 32/1000000 | Images from text, with transparent backgrounds
    openai/gpt-image-1-mini | gpt-image-1-mini | GPT Image 1 mini | 2025-09-26 | input-token 2/1000000, output-token 8/1000000 | Images from text at low cost
  `,
  ),
  ...media.media(
    "text-to-speech",
    `
    openai/gpt-4o-mini-tts | gpt-4o-mini-tts | GPT-4o mini TTS | 2025-03-20 | input-token 0.6/1000000, output-token 12/1000000 | Speech whose tone can be instructed
    openai/tts-1           | tts-1           | TTS-1           | 2023-11-06 | character 15/1000000 | Speech with low latency
    openai/tts-1-hd        | tts-1-hd        | TTS-1 HD        | 2023-11-06 | character 30/1000000 | Speech of higher quality
  `,
  ),
  ...media.media(
    "automatic-speech-recognition",
    `
    openai/gpt-4o-transcribe      | gpt-4o-transcribe      | GPT-4o Transcribe      | 2025-03-20 | input-token 2.5/1000000, output-token 10/1000000 | Transcription in many languages
    openai/gpt-4o-mini-transcribe | gpt-4o-mini-transcribe | GPT-4o mini Transcribe | 2025-03-20 | input-token 1.25/1000000, output-token 5/1000000 | Transcription at low cost
    openai/whisper-1              | whisper-1              | Whisper                | 2023-03-01 | second 0.36/3600 | Transcription with timestamps of words and segments
  `,
  ),
];
