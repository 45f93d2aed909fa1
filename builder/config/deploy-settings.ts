import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Problem } from "../problem.ts";
import { flagField, mappingField, numberField, textField } from "./fields.ts";
import { issueProblems, problemAt } from "./issues.ts";
import { unknownKeyProblems } from "./keys.ts";
import { hasErrors, sortProblems } from "./problems.ts";
import { readSource } from "./read-source.ts";
import { secretKeys, secretsField, type NamedSecret } from "./secrets-field.ts";
import { isSourceMapping, toPlain, valueAt } from "./source.ts";
import type { SourceDocument } from "./source.ts";
import { parseBytes, parseDurationMs } from "./units.ts";

/** What byom.yaml says: how the model is deployed. Cog does not read it. */
export interface DeploySettings {
  /** Model id in the catalog, `owner/name`. */
  readonly model?: string;
  readonly description?: string;
  /** Such as `text-generation`. */
  readonly task?: string;
  readonly example?: {
    /** Inputs by name; text that starts with `@` is a file's path relative to the repo. */
    readonly input: Readonly<Record<string, unknown>>;
  };
  readonly scaling?: ScalingSettings;
  readonly setupTimeoutMs?: number;
  readonly predictionTimeoutMs?: number;
  readonly memoryBytes?: number;
  /** Number of CPU cores, fractions allowed. */
  readonly cpus?: number;
  /** Which of the host's GPUs its instances get: all, or some by index or UUID. */
  readonly gpus?: "all" | readonly string[];
  /** False: instances with GPUs start cold. */
  readonly gpuSnapshot?: boolean;
  /** What it needs of `byom secrets set`. */
  readonly secrets?: readonly NamedSecret[];
  /** Whether instances start from a snapshot: where it pays (true), never (false), or also where it does not pay. */
  readonly snapshot?: boolean | "always";
  /** An own Dockerfile, relative to the repo: the environment starts from what it builds. */
  readonly dockerfile?: string;
  /** Where inputs and outputs differ from the names that the gateway expects. */
  readonly mapping?: MappingSettings;
  /** What the model takes, such as `text` and `image`. */
  readonly modalities?: readonly string[];
}

export interface MappingSettings {
  /** From a usual name (`messages`, `prompt`, `max_tokens`, `image`, …) to the model's own input. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Dotted path to the part of the output that is the answer. */
  readonly output?: string;
  /** Name of a bundled chat template, Jinja text, or `@` and a file's path relative to the repo. */
  readonly chatTemplate?: string;
  /** What the template asks for beside the messages, such as `eos_token`. */
  readonly templateVariables?: Readonly<Record<string, string>>;
}

export interface ScalingSettings {
  /** Without a request for this long, an instance stops. */
  readonly idleTimeoutMs?: number;
  readonly min?: number;
  readonly max?: number;
  /** Predictions at a time in one instance. */
  readonly concurrency?: number;
}

export interface LoadedDeploySettings {
  /** Absent when there are errors; empty when there is no file. */
  readonly settings?: DeploySettings;
  /** The file as it is written; absent without one. */
  readonly document?: SourceDocument;
  readonly problems: readonly Problem[];
}

/** Reads byom.yaml beside cog.yaml, if there is one. Throws RepositoryReadError when it cannot be read. */
export async function loadDeploySettings(options: {
  readonly directory: string;
  /** Name of the file; default `byom.yaml`. */
  readonly file?: string;
  readonly signal?: AbortSignal;
}): Promise<LoadedDeploySettings> {
  const { directory, file = "byom.yaml", signal } = options;
  const source = await readSource({ directory, file, signal });
  if (source === undefined) return { settings: {}, problems: [] };
  const { document, problems } = source;
  if (document === undefined) return { problems };
  if (document.value !== null && !isSourceMapping(document.value)) {
    const message = "expected settings as `key: value`";
    return { problems: [problemAt(document, [], { severity: "error", message })] };
  }
  problems.push(...unknownKeyProblems(document, knownKeys));
  const parsed = byomYaml.safeParse(document.value ?? {});
  if (!parsed.success) {
    return { problems: sortProblems([...problems, ...issueProblems(document, parsed.error)]) };
  }
  problems.push(...(await fileProblems({ directory, document, signal })));
  const { scaling } = parsed.data;
  if ((scaling?.min ?? 0) > (scaling?.max ?? Number.POSITIVE_INFINITY)) {
    const message = "min is above max";
    problems.push(problemAt(document, ["scaling", "min"], { severity: "error", message }));
  }
  if (hasErrors(problems)) return { problems: sortProblems(problems) };
  const settings = completeSettings(parsed.data, document);
  return { settings, document, problems: sortProblems(problems) };
}

const duration = textField.refine((text) => parseDurationMs(text) !== undefined, "a duration");
const bytes = textField.refine((text) => parseBytes(text) !== undefined, "an amount of memory");
const modelId = textField.refine(
  (text) => /^[a-z0-9][\w.-]*\/[a-z0-9][\w.-]*$/.test(text),
  "owner/name",
);
const openRecord = z.record(z.string(), z.unknown());

const scalingSchema = z.object({
  idle_timeout: duration.nullish(),
  min: numberField(z.int().min(0)).nullish(),
  max: numberField(z.int().min(1)).nullish(),
  concurrency: numberField(z.int().min(1)).nullish(),
});
const exampleSchema = z.object({ input: openRecord });
const mappingSchema = z.object({
  inputs: mappingField(z.record(z.string(), textField)).nullish(),
  output: textField.nullish(),
  chat_template: textField.nullish(),
  template_variables: mappingField(z.record(z.string(), textField)).nullish(),
});
const buildSchema = z.object({ dockerfile: textField.nullish() });
const byomYaml = z.object({
  model: modelId.nullish(),
  description: textField.nullish(),
  task: textField.nullish(),
  example: mappingField(exampleSchema).nullish(),
  scaling: mappingField(scalingSchema).nullish(),
  setup_timeout: duration.nullish(),
  prediction_timeout: duration.nullish(),
  memory: bytes.nullish(),
  cpus: numberField(z.number().positive()).nullish(),
  gpus: z.union([textField.pipe(z.literal("all")), z.array(textField).min(1)]).nullish(),
  gpu_snapshot: flagField.nullish(),
  secrets: secretsField.nullish(),
  snapshot: z.union([textField.pipe(z.literal("always")), flagField]).nullish(),
  mapping: mappingField(mappingSchema).nullish(),
  build: mappingField(buildSchema).nullish(),
  modalities: z
    .array(textField.pipe(z.enum(["text", "image", "audio", "video", "file"])))
    .nullish(),
});

/** byom.yaml as written, types checked. */
export const byomYamlSchema: z.ZodType = byomYaml;

const knownKeys = {
  "": Object.keys(byomYaml.shape),
  example: Object.keys(exampleSchema.shape),
  scaling: Object.keys(scalingSchema.shape),
  mapping: Object.keys(mappingSchema.shape),
  build: Object.keys(buildSchema.shape),
  "secrets[]": secretKeys,
};

function completeSettings(
  byom: z.infer<typeof byomYaml>,
  document: SourceDocument,
): DeploySettings {
  const scaling = byom.scaling ?? undefined;
  const mapping = byom.mapping ?? undefined;
  const input = valueAt(document.value, ["example", "input"]);
  return present<DeploySettings>({
    model: byom.model,
    description: byom.description,
    task: byom.task,
    example: isSourceMapping(input)
      ? { input: toPlain(input) as Record<string, unknown> }
      : undefined,
    scaling:
      scaling &&
      present<ScalingSettings>({
        idleTimeoutMs: parseDurationMs(scaling.idle_timeout),
        min: scaling.min,
        max: scaling.max,
        concurrency: scaling.concurrency,
      }),
    setupTimeoutMs: parseDurationMs(byom.setup_timeout),
    predictionTimeoutMs: parseDurationMs(byom.prediction_timeout),
    memoryBytes: parseBytes(byom.memory),
    cpus: byom.cpus,
    gpus: byom.gpus,
    gpuSnapshot: byom.gpu_snapshot,
    secrets: byom.secrets,
    snapshot: byom.snapshot,
    dockerfile: byom.build?.dockerfile,
    mapping:
      mapping &&
      present<MappingSettings>({
        inputs: mapping.inputs,
        output: mapping.output,
        chatTemplate: mapping.chat_template,
        templateVariables: mapping.template_variables,
      }),
    modalities: byom.modalities,
  });
}

/** The value without its empty keys. */
function present<Value extends object>(value: {
  readonly [Key in keyof Value]: Value[Key] | null | undefined;
}): Value {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && item !== null);
  return Object.fromEntries(entries) as Value;
}

/** Every `@FILE`, and the Dockerfile, has to be there before minutes go into a build. */
async function fileProblems(options: {
  readonly directory: string;
  readonly document: SourceDocument;
  readonly signal: AbortSignal | undefined;
}): Promise<Problem[]> {
  const { directory, document, signal } = options;
  const input = valueAt(document.value, ["example", "input"]);
  const inputs = Object.entries(isSourceMapping(input) ? input : {});
  const template = ["mapping", "chat_template"];
  const dockerfile = valueAt(document.value, ["build", "dockerfile"]);
  const places = [
    {
      path: ["build", "dockerfile"],
      value: typeof dockerfile === "string" ? `@${dockerfile}` : null,
    },
    ...inputs.map(([name, value]) => ({ path: ["example", "input", name], value })),
    { path: template, value: valueAt(document.value, template) },
  ];
  const problems: Problem[] = [];
  for (const { path, value } of places) {
    if (typeof value !== "string" || !value.startsWith("@")) continue;
    if (path[0] === "build" && (value[1] === "/" || value.split(/[@/]/).includes(".."))) {
      const message = `${value.slice(1)} lies outside of the model repo`;
      problems.push(problemAt(document, path, { severity: "error", message }));
      continue;
    }
    signal?.throwIfAborted();
    const stats = await stat(join(directory, value.slice(1))).catch(() => undefined);
    if (stats?.isFile() === true) continue;
    const details = {
      message: `${value.slice(1)} does not exist`,
      hint: "create it or correct the path",
    };
    problems.push(problemAt(document, path, { severity: "error", ...details }));
  }
  return problems;
}
