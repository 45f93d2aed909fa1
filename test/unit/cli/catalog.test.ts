import { expect, test } from "vitest";

import { createCatalog } from "../../../cli/catalog.ts";
import type { Version } from "../../../runtime/index.ts";

// What was pushed is what callers see: a fact that is lost between a version and its entry is lost for all of them.

const version: Version = {
  modelId: "acme/chat",
  number: 3,
  image: { imageId: "sha256:aa", reference: "registry/acme/chat@sha256:bb" },
  digest: "sha256:bb",
  weightsDigest: "none",
  inputSchema: { type: "object", properties: { question: { type: "string" } } },
  outputSchema: { type: "object" },
  isStreaming: false,
  hardware: "cpu",
  settings: {} as Version["settings"],
  card: {
    description: "Chats",
    task: "text-generation",
    requestFormats: ["predictions"],
    mapping: { inputs: { prompt: "question" }, output: "data.text", chatTemplate: "chatml" },
    modalities: ["text", "image"],
  },
  createdAt: "2026-11-01T00:00:00.000Z",
};

function entryOf(live: Version): unknown {
  const catalog = createCatalog({
    live: () => live,
    models: () => [],
    versions: () => [live],
  });
  return catalog.get(live.modelId);
}

test("a version's card says how its model is called", () => {
  expect(entryOf(version)).toEqual({
    id: "acme/chat",
    description: "Chats",
    task: "text-generation",
    inputSchema: version.inputSchema,
    outputSchema: { type: "object" },
    isStreaming: false,
    requestFormats: ["predictions", "chat-completions", "completions", "responses", "messages"],
    mapping: version.card.mapping,
    modalities: { input: ["text", "image"], output: ["text"] },
    capabilities: ["vision"],
    hardware: "cpu",
    version: 3,
    digest: "sha256:bb",
    createdAt: "2026-11-01T00:00:00.000Z",
  });
});

test("a model that cannot chat does not say that it can", () => {
  const { description, task, requestFormats } = version.card;
  expect(entryOf({ ...version, card: { description, task, requestFormats } })).toMatchObject({
    requestFormats: ["predictions"],
  });
});
