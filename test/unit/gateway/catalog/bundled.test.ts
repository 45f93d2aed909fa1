// What a user loses when these fail: a catalog that can be trusted without asking anybody.
import { describe, expect, it } from "vitest";

import { bundledModels } from "../../../../gateway/catalog/bundled/index.ts";
import { thirdPartyEntry, thirdPartyModelSchema } from "../../../../gateway/catalog/third-party.ts";
import { validateInput } from "../../../../gateway/catalog/validate-input.ts";
import type { Task } from "../../../../gateway/index.ts";
import { adapters } from "../../../../gateway/upstream/provider/adapters/index.ts";

const providers = [
  "openai",
  "anthropic",
  "google",
  "alibaba",
  "assemblyai",
  "bytedance",
  "inworld",
  "minimax",
  "pixverse",
  "recraft",
  "runway",
  "vidu",
  "workers-ai",
  "replicate",
];

/** The least that a caller sends for each task. */
const inputs: Readonly<Partial<Record<Task, Readonly<Record<string, unknown>>>>> = {
  "text-generation": { messages: [{ role: "user", content: "Hi" }], max_tokens: 5 },
  "text-embeddings": { input: ["Hi"] },
  "text-to-image": { prompt: "A cat" },
  "text-to-video": { prompt: "A cat", duration: 5 },
  "image-to-video": { image: "https://example.com/a.png", prompt: "It moves" },
  "text-to-speech": { text: "Hi", voice: "anna" },
  "automatic-speech-recognition": { audio: "https://example.com/a.mp3" },
};

const wellKnown = [
  "@cf/moonshotai/kimi-k2.5",
  "openai/gpt-5.5",
  "openai/text-embedding-3-small",
  "anthropic/claude-haiku-4.5",
  "google/gemini-2.5-flash",
  "google/veo-3.1",
  "recraft/recraftv4",
  "black-forest-labs/flux-schnell",
];

describe("the bundled catalog", () => {
  it("has at least 70 models, of all fourteen providers, each once", () => {
    expect(bundledModels.length).toBeGreaterThanOrEqual(70);
    const ids = bundledModels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const served = new Set(bundledModels.map(({ upstreams }) => upstreams[0]?.provider ?? ""));
    expect([...served].toSorted()).toEqual(providers.toSorted());
    expect(ids).toEqual(expect.arrayContaining(wellKnown));
  });

  it("has models for each kind of call, language models the most", () => {
    const tasks = new Map<Task, number>();
    for (const { task } of bundledModels) tasks.set(task, (tasks.get(task) ?? 0) + 1);
    expect([...tasks.keys()].toSorted()).toEqual(Object.keys(inputs).toSorted());
    expect(tasks.get("text-generation")).toBeGreaterThan(60);
  });

  it("has no provider's model twice under two ids", () => {
    const upstreams = bundledModels.map(
      ({ upstreams: [first] }) => `${first?.provider} ${first?.model}`,
    );
    expect(new Set(upstreams).size).toBe(upstreams.length);
  });

  it("has a price for nine of ten models", () => {
    const priced = bundledModels.filter(({ prices }) => prices !== undefined);
    expect(priced.length / bundledModels.length).toBeGreaterThan(0.9);
  });
});

describe.each(bundledModels.map((model) => [model.id, model] as const))("%s", (_id, model) => {
  it("fits the schema of what operators add, and names known adapters", () => {
    expect(thirdPartyModelSchema.parse(model)).toEqual(model);
    for (const { provider } of model.upstreams) expect([...adapters.keys()]).toContain(provider);
  });

  it("says where its facts are from and when, and its prices are possible", () => {
    expect(model.facts?.source).toMatch(/\w/);
    expect(model.facts?.asOf).toMatch(/^2026-\d\d-\d\d$/);
    expect(new Date(model.createdAt).toISOString()).toBe(model.createdAt);
    expect(model.name).toMatch(/\w/);
    expect(model.description.length).toBeGreaterThan(10);
    for (const { usd, per, unit, asOf, source } of model.prices ?? []) {
      expect(Number(usd)).toBeGreaterThan(0);
      expect([asOf, source]).toEqual([model.facts?.asOf, model.facts?.source]);
      // A million of any token, a thousand characters, an image, a second: nothing costs more than this.
      const dearest = unit.endsWith("token") ? 300 / 1_000_000 : unit === "character" ? 0.001 : 2;
      expect(Number(usd) / per, unit).toBeLessThan(dearest);
    }
  });

  it("becomes an entry that takes the plainest call of its task", () => {
    const entry = thirdPartyEntry(model, "bundled");
    expect(validateInput(entry.inputSchema, inputs[entry.task] ?? {})).toEqual([]);
    expect(
      validateInput(entry.inputSchema, entry.example?.input ?? inputs[entry.task] ?? {}),
    ).toEqual([]);
    expect(entry.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(entry.requestFormats).toContain("predictions");
    if (model.task === "text-generation") {
      expect(entry.contextLength).toBeGreaterThanOrEqual(8_000);
      expect(entry.modalities?.input).toContain("text");
    }
  });
});
