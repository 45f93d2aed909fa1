import type { ThirdPartyModel } from "../third-party.ts";
import { anthropic } from "./anthropic.ts";
import { alibaba, bytedance, minimax } from "./asian.ts";
import { google } from "./google.ts";
import { assemblyai, inworld, pixverse, recraft, runway, vidu } from "./media.ts";
import { openai } from "./openai.ts";
import { replicate } from "./replicate.ts";
import { workersAi } from "./workers-ai.ts";

/**
 * Models of third parties that byom knows without asking anybody: names, sizes and prices as public lists had them,
 * each with its source and date. They age; `byom models refresh` brings newer facts.
 */
export const bundledModels: readonly ThirdPartyModel[] = [
  ...openai,
  ...anthropic,
  ...google,
  ...alibaba,
  ...assemblyai,
  ...bytedance,
  ...inworld,
  ...minimax,
  ...pixverse,
  ...recraft,
  ...runway,
  ...vidu,
  ...workersAi,
  ...replicate,
];
