import { createHash } from "node:crypto";

import { z } from "zod";

import {
  capabilities,
  modalities,
  requestFormats,
  tasks,
  type Capability,
  type CatalogEntry,
  type EntryOrigin,
  type Facts,
  type Modality,
  type Price,
  type RequestFormat,
  type Task,
} from "./entry.ts";
import { standardShape } from "./standard-schemas.ts";
import { pricesSchema } from "./store/records.ts";

/** A provider's model as it is written down; its schemas follow from the task. */
export interface ThirdPartyModel {
  readonly id: string;
  readonly name?: string;
  readonly description: string;
  readonly task: Task;
  /** Who can serve it and under which name, the preferred one first. */
  readonly upstreams: readonly { readonly provider: string; readonly model: string }[];
  /** Tokens. */
  readonly contextLength?: number;
  readonly maxOutputTokens?: number;
  readonly modalities?: {
    readonly input: readonly Modality[];
    readonly output: readonly Modality[];
  };
  readonly capabilities?: readonly Capability[];
  /** Default: those of its task. A base model has `completions` and no `chat-completions`. */
  readonly requestFormats?: readonly RequestFormat[];
  readonly prices?: readonly Price[];
  readonly tags?: readonly string[];
  readonly example?: {
    readonly input: Readonly<Record<string, unknown>>;
    readonly output?: unknown;
  };
  /** ISO 8601: of the model's release where that is known, else of the entry. */
  readonly createdAt: string;
  /** Where this was read, and when. */
  readonly facts?: Facts;
}

/**
 * Ids of third parties' models: `author/name` with more parts, `@`, `:` and capitals, as providers have them; nothing
 * that a path or a table would have to escape.
 */
export const modelIdPattern: RegExp =
  /^[@A-Za-z0-9][A-Za-z0-9@._:+-]*(?:\/[A-Za-z0-9@][A-Za-z0-9@._:+-]*)*$/;
const idLengthMax = 200;
const textLengthMax = 4_000;
const listLengthMax = 50;

/** An id or an alias. */
export const modelIdSchema: z.ZodType<string> = z
  .string()
  .max(idLengthMax)
  .regex(modelIdPattern, "a model id such as my-vllm/qwen3-8b");

const tokens = z.int().positive();

const fields = {
  name: z.string().min(1).max(idLengthMax).exactOptional(),
  description: z.string().max(textLengthMax),
  task: z.enum(tasks),
  upstreams: z
    .array(
      z.strictObject({ provider: z.string().min(1), model: z.string().min(1).max(idLengthMax) }),
    )
    .min(1)
    .max(listLengthMax),
  contextLength: tokens.exactOptional(),
  maxOutputTokens: tokens.exactOptional(),
  modalities: z
    .strictObject({ input: z.array(z.enum(modalities)), output: z.array(z.enum(modalities)) })
    .exactOptional(),
  capabilities: z.array(z.enum(capabilities)).exactOptional(),
  requestFormats: z.array(z.enum(requestFormats)).min(1).exactOptional(),
  prices: pricesSchema.exactOptional(),
  tags: z.array(z.string().max(100)).max(listLengthMax).exactOptional(),
  example: z
    .strictObject({
      input: z.record(z.string(), z.unknown()),
      output: z.unknown().exactOptional(),
    })
    .exactOptional(),
};

export const thirdPartyModelSchema: z.ZodType<ThirdPartyModel> = z.strictObject({
  id: modelIdSchema,
  ...fields,
  createdAt: z.string(),
  facts: z.strictObject({ source: z.string(), asOf: z.string() }).exactOptional(),
});

/** What a caller gives of a model that is added: all but its id and the time. */
export type ThirdPartyBody = Omit<ThirdPartyModel, "id" | "createdAt" | "facts">;

export const thirdPartyBodySchema: z.ZodType<ThirdPartyBody> = z.strictObject({
  ...fields,
  description: fields.description.default(""),
  task: fields.task.default("text-generation"),
});

/** The catalog's entry of a provider's model. */
export function thirdPartyEntry(model: ThirdPartyModel, origin: EntryOrigin): CatalogEntry {
  const { upstreams, ...rest } = model;
  const shape = standardShape(model.task);
  const canStream = shape.isStreaming ? (["streaming"] as const) : [];
  return {
    ...rest,
    ...exampleOf(model),
    inputSchema: shape.inputSchema,
    outputSchema: shape.outputSchema,
    isStreaming: shape.isStreaming,
    requestFormats: model.requestFormats ?? shape.requestFormats,
    modalities: model.modalities ?? seeing(shape.modalities, model.capabilities ?? []),
    capabilities: [...new Set([...(model.capabilities ?? []), ...canStream])],
    hardware: "",
    version: 1,
    digest: digestOf(model),
    origin,
    upstreams: upstreams.map((target) => ({ kind: "provider", ...target })),
  };
}

/** The least that makes sense for each task, for a reader who wants to try it. */
const exampleInputs: Readonly<Partial<Record<Task, Readonly<Record<string, unknown>>>>> = {
  "text-generation": { prompt: "Write a haiku about the sea.", max_tokens: 200 },
  "text-embeddings": { input: ["The sea is calm tonight."] },
  "text-to-image": { prompt: "A lighthouse in a storm, oil on canvas" },
  "text-to-video": { prompt: "Waves break on a rocky shore at dusk", duration: 5 },
  "text-to-speech": { text: "The sea is calm tonight." },
};

function exampleOf({ example, task }: ThirdPartyModel): Pick<CatalogEntry, "example"> {
  if (example !== undefined) return { example };
  const input = exampleInputs[task];
  return input === undefined ? {} : { example: { input } };
}

function seeing(
  shape: NonNullable<CatalogEntry["modalities"]>,
  can: readonly Capability[],
): NonNullable<CatalogEntry["modalities"]> {
  if (!can.includes("vision") || shape.input.includes("image")) return shape;
  return { ...shape, input: [...shape.input, "image"] };
}

/** Of what can be called, so that a corrected price or text is no new version. */
function digestOf({ id, task, upstreams }: ThirdPartyModel): string {
  const text = JSON.stringify([id, task, upstreams]);
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
