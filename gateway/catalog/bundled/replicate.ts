import type { ThirdPartyModel } from "../third-party.ts";
import { tablesOf } from "./table.ts";

const models = tablesOf("replicate", "on Replicate", {
  source: "replicate.com/pricing, not confirmed",
  asOf: "2026-05-22",
});

export const replicate: readonly ThirdPartyModel[] = [
  ...models.media(
    "text-to-image",
    `
    black-forest-labs/flux-schnell   | black-forest-labs/flux-schnell   | FLUX.1 schnell     | 2024-07-30 | image 0.003 | Images from text in a few steps
    black-forest-labs/flux-dev       | black-forest-labs/flux-dev       | FLUX.1 dev         | 2024-07-29 | image 0.025 | Images from text, open weights
    black-forest-labs/flux-1.1-pro   | black-forest-labs/flux-1.1-pro   | FLUX 1.1 pro       | 2024-10-01 | image 0.04  | Images of high quality from text
    ideogram-ai/ideogram-v3-turbo    | ideogram-ai/ideogram-v3-turbo    | Ideogram v3 Turbo  | 2025-05-01 | image 0.03  | Images with accurate writing
  `,
  ),
  ...models.text(`
    meta/meta-llama-3-70b-instruct | meta/meta-llama-3-70b-instruct | Meta Llama 3 70B Instruct | 2024-04-17 | 8192 | - | - | 0.65 | - | 2.75
    meta/meta-llama-3-8b-instruct  | meta/meta-llama-3-8b-instruct  | Meta Llama 3 8B Instruct  | 2024-04-17 | 8192 | - | - | 0.05 | - | 0.25
  `),
];
