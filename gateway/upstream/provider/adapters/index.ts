import type { AdapterId, ProviderAdapter } from "../adapter.ts";
import { alibaba } from "./alibaba.ts";
import { anthropic } from "./anthropic.ts";
import { assemblyai } from "./assemblyai.ts";
import { bytedance } from "./bytedance.ts";
import { google } from "./google.ts";
import { inworld } from "./inworld.ts";
import { minimax } from "./minimax.ts";
import { openAiCompatible } from "./openai-compatible.ts";
import { openAi } from "./openai.ts";
import { pixverse } from "./pixverse.ts";
import { recraft } from "./recraft.ts";
import { replicate } from "./replicate.ts";
import { runway } from "./runway.ts";
import { vidu } from "./vidu.ts";
import { workersAi } from "./workers-ai.ts";

const all: readonly ProviderAdapter[] = [
  alibaba,
  anthropic,
  assemblyai,
  bytedance,
  google,
  inworld,
  minimax,
  openAi,
  openAiCompatible,
  pixverse,
  recraft,
  replicate,
  runway,
  vidu,
  workersAi,
];

/** Every provider that byom can speak to. */
export const adapters: ReadonlyMap<AdapterId, ProviderAdapter> = new Map(
  all.map((adapter) => [adapter.id, adapter]),
);
