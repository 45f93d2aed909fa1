// The catalog promises these models: each must reach its provider's protocol with nothing but the inputs of its task.
import { describe, expect, test } from "vitest";

import type { Task } from "../../../../../gateway/catalog/entry.ts";
import {
  alibaba as alibabaModels,
  bytedance as bytedanceModels,
  minimax as minimaxModels,
} from "../../../../../gateway/catalog/bundled/asian.ts";
import {
  assemblyai as assemblyaiModels,
  inworld as inworldModels,
  pixverse as pixverseModels,
  recraft as recraftModels,
  runway as runwayModels,
  vidu as viduModels,
} from "../../../../../gateway/catalog/bundled/media.ts";
import { standardShape } from "../../../../../gateway/catalog/standard-schemas.ts";
import type { AdapterId } from "../../../../../gateway/upstream/provider/adapter.ts";
import { adapters } from "../../../../../gateway/upstream/provider/adapters/index.ts";
import type { ProviderDouble } from "../../../../support/provider-double.ts";
import { runAdapter } from "../../../../support/run-adapter.ts";
import { startAlibabaDouble } from "./doubles/alibaba.ts";
import { startAssemblyaiDouble } from "./doubles/assemblyai.ts";
import { startBytedanceDouble } from "./doubles/bytedance.ts";
import { startInworldDouble } from "./doubles/inworld.ts";
import { startMinimaxDouble } from "./doubles/minimax.ts";
import { startPixverseDouble } from "./doubles/pixverse.ts";
import { startRecraftDouble } from "./doubles/recraft.ts";
import { startRunwayDouble } from "./doubles/runway.ts";
import { startViduDouble } from "./doubles/vidu.ts";

const image = "https://files.example/a.png";
const inputs: Readonly<Partial<Record<Task, Readonly<Record<string, unknown>>>>> = {
  "text-generation": { prompt: "Hi" },
  "text-embeddings": { input: ["Hi"] },
  "text-to-image": { prompt: "A fox" },
  "image-to-image": { prompt: "A fox", image: [image] },
  "text-to-video": { prompt: "A fox" },
  "image-to-video": { prompt: "A fox", image },
  "text-to-speech": { text: "Hi" },
  "automatic-speech-recognition": { audio: "https://files.example/a.wav" },
};

const providers = [
  ["alibaba", alibabaModels, startAlibabaDouble],
  ["assemblyai", assemblyaiModels, startAssemblyaiDouble],
  ["bytedance", bytedanceModels, startBytedanceDouble],
  ["inworld", inworldModels, startInworldDouble],
  ["minimax", minimaxModels, startMinimaxDouble],
  ["pixverse", pixverseModels, startPixverseDouble],
  ["recraft", recraftModels, startRecraftDouble],
  ["runway", runwayModels, startRunwayDouble],
  ["vidu", viduModels, startViduDouble],
] as const;

describe.each(providers)("bundled models of %s", (id: AdapterId, models, start) => {
  test.each(models.map((model) => [model.id, model] as const))("%s", async (_id, entry) => {
    const adapter = adapters.get(id);
    const model = entry.upstreams.find(({ provider }) => provider === id)?.model;
    const input = inputs[entry.task];
    if (adapter === undefined || model === undefined || input === undefined) {
      throw new Error(`${id} has no ${entry.task}`);
    }
    await using double: ProviderDouble = await start();
    const { output } = await runAdapter({
      adapter,
      model,
      task: entry.task,
      input,
      isStreaming: standardShape(entry.task).isStreaming,
      baseUrl: double.baseUrl,
    });
    expect(output).toBeTruthy();
  });
});
