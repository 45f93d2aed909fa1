import { resolve } from "node:path";
import {
  createConfigJsonSchema,
  findModelDirectory,
  loadConfig,
  loadDeploySettings,
  renderProblems,
  requireConfig,
  type Config,
  type LoadedDeploySettings,
} from "../../builder/index.ts";
import { loadHostSettings } from "../../host/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { baseImageTemplates } from "../repository.ts";

/** A setting as it takes effect. */
interface Effective {
  readonly key: string;
  readonly value: unknown;
  /** `cog.yaml:3`, `byom.yaml:1`, `default`, or the name of an environment variable. */
  readonly origin: string;
}

export const config: Command = {
  usage: "[DIR]",
  positionals: { min: 0, max: 1 },
  options: {
    file: { type: "string", short: "f", value: "FILE", help: "another name for cog.yaml" },
  },
  async run({ positionals, flags, context }) {
    const { signal, output } = context;
    const start = resolve(context.directory, positionals[0] ?? ".");
    const name = flags.text("file");
    const file = name === undefined ? {} : { file: name };
    const directory = await findModelDirectory({ start, ...file, signal });
    const loaded = await loadConfig({ directory, ...file, signal });
    const deploy = await loadDeploySettings({ directory, signal });
    const problems = [...loaded.problems, ...deploy.problems];
    const cog = requireConfig({ ...loaded, problems });
    const settings = [
      ...cogSettings(cog),
      ...deploySettings(deploy),
      ...(await machineSettings(context)),
    ];
    for (const line of renderProblems(problems)) output.note(line);
    const rows = settings.map(({ key, value, origin }) => [key, origin, JSON.stringify(value)]);
    output.answer(formatTable(rows), { directory, settings });
  },
};

export const configSchema: Command = {
  usage: "KIND",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [file] = positionals;
    if (file !== "cog" && file !== "byom") {
      throw new UsageError(`${file}: expected cog or byom`, "byom config schema cog");
    }
    const schema = createConfigJsonSchema(file);
    context.output.answer(JSON.stringify(schema, undefined, 2), schema);
  },
};

/** In the order and the words of cog.yaml; what has neither a value nor a default is left out. */
function cogSettings(cog: Config): Effective[] {
  const { requirements } = cog;
  const values: Readonly<Record<string, unknown>> = {
    "build.python_version": cog.pythonVersion,
    "build.gpu": cog.gpu,
    "build.cuda": cog.cuda,
    "build.cudnn": cog.cudnn,
    "build.python_requirements": requirements.file,
    "build.python_packages": requirements.file === undefined ? requirements.lines : undefined,
    "build.system_packages": cog.systemPackages,
    "build.run": cog.run.map(({ command }) => command),
    "build.sdk_version": cog.sdkVersion,
    image: cog.image,
    model: cog.model,
    run: cog.predictor,
    train: cog.trainer,
    "concurrency.max": cog.concurrencyMax,
    environment: cog.environment,
    weights: cog.weights,
  };
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined) return [];
    const line = cog.lines[key] ?? (key === "run" ? cog.lines["predict"] : undefined);
    return [{ key, value, origin: line === undefined ? "default" : `${cog.file}:${line}` }];
  });
}

/** What byom.yaml says; for the rest the platform's defaults hold. */
function deploySettings({ document, settings = {} }: LoadedDeploySettings): Effective[] {
  return Object.entries(settings).map(([name, value]) => {
    const key = keyOfSetting(name);
    const line = document?.lines[key];
    return { key, value, origin: line === undefined ? "byom.yaml" : `byom.yaml:${line}` };
  });
}

/** `setupTimeoutMs` stands as `setup_timeout` in the file. */
function keyOfSetting(name: string): string {
  const words = name.replace(/(Ms|Bytes)$/, "");
  return words.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

async function machineSettings(context: Context): Promise<Effective[]> {
  const host = await loadHostSettings(context.directories, { signal: context.signal });
  return baseImageTemplates(context.environment, host).map(({ name, template, origin }) => ({
    key: `base image of ${name}`,
    value: template,
    origin,
  }));
}
