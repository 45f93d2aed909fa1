import { z } from "zod";
import { flagField, mappingField, numberField, textField } from "./fields.ts";

const textList = z.array(textField).nullish();

const runMount = z.object({ type: z.literal("secret"), id: textField, target: textField });
const runCommand = z.object({
  command: textField,
  mounts: z.array(mappingField(runMount)).nullish(),
});
const runItem = z.preprocess(
  (item) =>
    typeof item === "object" && item !== null && "command" in item ? item : { command: item },
  runCommand,
);

const build = z.object({
  python_version: textField.nullish(),
  python_requirements: textField.nullish(),
  python_packages: textList,
  system_packages: textList,
  run: z.array(runItem).nullish(),
  pre_install: textList,
  gpu: flagField.nullish(),
  cuda: textField.nullish(),
  cudnn: textField.nullish(),
  sdk_version: textField.nullish(),
});

const concurrency = z.object({
  max: numberField(z.int().min(1)).nullish(),
  default_target: numberField(z.int().min(1)).nullish(),
});

const weight = z.looseObject({ name: textField, target: textField });

const cogYaml = z.object({
  build: mappingField(build).nullish(),
  image: textField.nullish(),
  model: textField.nullish(),
  predict: textField.nullish(),
  run: textField.nullish(),
  train: textField.nullish(),
  concurrency: mappingField(concurrency).nullish(),
  environment: textList,
  weights: z.array(mappingField(weight)).nullish(),
});

/** cog.yaml as written, types checked and nothing else. */
export interface CogYaml {
  readonly build?:
    | {
        readonly python_version?: Text;
        readonly python_requirements?: Text;
        readonly python_packages?: TextList;
        readonly system_packages?: TextList;
        readonly run?: readonly RunCommand[] | null | undefined;
        readonly pre_install?: TextList;
        readonly gpu?: boolean | null | undefined;
        readonly cuda?: Text;
        readonly cudnn?: Text;
        readonly sdk_version?: Text;
      }
    | null
    | undefined;
  readonly image?: Text;
  readonly model?: Text;
  readonly predict?: Text;
  readonly run?: Text;
  readonly train?: Text;
  readonly concurrency?: { readonly max?: number | null | undefined } | null | undefined;
  readonly environment?: TextList;
  readonly weights?: readonly unknown[] | null | undefined;
}

type Text = string | null | undefined;
type TextList = readonly string[] | null | undefined;

interface RunCommand {
  readonly command: string;
  readonly mounts?: readonly { readonly id: string; readonly target: string }[] | null | undefined;
}

export const cogYamlSchema: z.ZodType<CogYaml> = cogYaml;

/** Keys that each mapping of cog.yaml knows; list items are `[]`. */
export const cogYamlKeys: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(cogYaml.shape),
  build: Object.keys(build.shape),
  "build.run[]": Object.keys(runCommand.shape),
  "build.run[].mounts[]": Object.keys(runMount.shape),
  concurrency: Object.keys(concurrency.shape),
  "weights[]": ["name", "target", "source"],
};
