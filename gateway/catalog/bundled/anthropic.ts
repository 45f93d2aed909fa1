import type { ThirdPartyModel } from "../third-party.ts";
import { tablesOf } from "./table.ts";

const listed = tablesOf("anthropic", "Anthropic", { source: "models.dev", asOf: "2026-07-02" });
const newer = tablesOf("anthropic", "Anthropic", {
  source: "@pydantic/genai-prices 0.1.8",
  asOf: "2026-09-23",
});

export const anthropic: readonly ThirdPartyModel[] = [
  ...newer.text(`
    anthropic/claude-fable-5.1  | claude-fable-5-1  | Claude Fable 5.1  | -          | 1000000 | -      | tvr | 10 | 0.25 | 50
    anthropic/claude-opus-5.5   | claude-opus-5-5   | Claude Opus 5.5   | -          | 1000000 | -      | tvr | 4  | 0.2  | 20
    anthropic/claude-opus-5     | claude-opus-5     | Claude Opus 5     | -          | 1000000 | -      | tvr | 5  | 0.5  | 25
  `),
  ...listed.text(`
    anthropic/claude-fable-5    | claude-fable-5    | Claude Fable 5    | 2026-06-09 | 1000000 | 128000 | tvr | 10 | 1    | 50
    anthropic/claude-sonnet-5   | claude-sonnet-5   | Claude Sonnet 5   | 2026-06-30 | 1000000 | 128000 | tvr | 2  | 0.2  | 10
    anthropic/claude-opus-4.8   | claude-opus-4-8   | Claude Opus 4.8   | 2026-05-28 | 1000000 | 128000 | tvr | 5  | 0.5  | 25
    anthropic/claude-opus-4.7   | claude-opus-4-7   | Claude Opus 4.7   | 2026-04-16 | 1000000 | 128000 | tvr | 5  | 0.5  | 25
    anthropic/claude-opus-4.6   | claude-opus-4-6   | Claude Opus 4.6   | 2026-02-05 | 1000000 | 128000 | tvr | 5  | 0.5  | 25
    anthropic/claude-opus-4.5   | claude-opus-4-5   | Claude Opus 4.5   | 2025-11-24 | 200000  | 64000  | tvr | 5  | 0.5  | 25
    anthropic/claude-sonnet-4.6 | claude-sonnet-4-6 | Claude Sonnet 4.6 | 2026-02-17 | 1000000 | 64000  | tvr | 3  | 0.3  | 15
    anthropic/claude-sonnet-4.5 | claude-sonnet-4-5 | Claude Sonnet 4.5 | 2025-09-29 | 200000  | 64000  | tvr | 3  | 0.3  | 15
    anthropic/claude-haiku-4.5  | claude-haiku-4-5  | Claude Haiku 4.5  | 2025-10-15 | 200000  | 64000  | tvr | 1  | 0.1  | 5
  `),
];
