import {
  exportModels,
  exportTargets,
  registerModels,
  registerTargets,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
  type Registration,
  type SkippedModel,
} from "../../gateway/index.ts";
import type { Command, Flags } from "../command.ts";
import type { Context } from "../context.ts";
import type { PlatformAccess } from "../credentials.ts";
import { CommandError, UsageError } from "../errors.ts";
import { formatTable, type Output } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";

const keyEnvDefault = "BYOM_API_KEY";
const nameDefault = "byom";
/** Third parties' models that one platform can call are hundreds; a few names are shown. */
const skippedShownMax = 5;

const sharedOptions = {
  "base-url": {
    type: "string",
    value: "URL",
    help: "where that gateway reaches byom (default: as this command does)",
  },
  "key-env": {
    type: "string",
    value: "NAME",
    help: `variable that holds the byom key over there (default ${keyEnvDefault})`,
  },
  name: {
    type: "string",
    value: "NAME",
    help: `what byom is called there (default ${nameDefault})`,
  },
  reveal: { type: "boolean", help: "write the key itself, taken from that variable here" },
} as const;

export const modelsExport: Command = {
  usage: `[MODEL…] --to ${exportTargets.join("|")}`,
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  options: {
    to: { type: "string", value: "GATEWAY", help: exportTargets.join(", ") },
    ...sharedOptions,
  },
  async run({ positionals, flags, context }) {
    const target = readTarget(flags, exportTargets);
    const { models, access } = await loadModels(context, positionals);
    const options = readOptions(flags, context, access);
    warnOfOwnKey(context, access, options.key);
    const document = exportModels(target, models, options);
    noteDocument(context.output, document);
    context.output.answer(document.text, { to: target, ...document });
  },
};

export const modelsRegister: Command = {
  usage: `[MODEL…] --to ${registerTargets.join("|")} --url ADMIN_URL [--token-env NAME] [--dry-run]`,
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  options: {
    to: { type: "string", value: "GATEWAY", help: registerTargets.join(", ") },
    url: { type: "string", value: "ADMIN_URL", help: "address of that gateway's administration" },
    "token-env": {
      type: "string",
      value: "NAME",
      help: "variable here that holds its administrator's token (default: no token)",
    },
    gateway: {
      type: "string",
      value: "ID",
      help: "cloudflare: the AI gateway that keeps the byom key",
    },
    "dry-run": { type: "boolean", help: "change nothing; say what would be made or updated" },
    ...sharedOptions,
  },
  async run({ positionals, flags, context }) {
    const target = readTarget(flags, registerTargets);
    const url = flags.text("url");
    if (url === undefined) {
      throw new UsageError("--url is missing", "give the address of that gateway's administration");
    }
    const tokenEnv = flags.text("token-env");
    const { models, access } = await loadModels(context, positionals);
    const options = readOptions(flags, context, access);
    const secret = context.environment[options.keyEnv];
    warnOfOwnKey(context, access, keepsKey.includes(target) ? secret : options.key);
    const gateway = flags.text("gateway");
    const isDryRun = flags.has("dry-run");
    const registration = await registerModels(target, models, {
      ...options,
      url,
      isDryRun,
      signal: context.signal,
      ...(tokenEnv !== undefined && { token: readEnvironment(context, tokenEnv, "--token-env") }),
      ...(secret !== undefined && secret !== "" && { secret }),
      ...(gateway !== undefined && { gateway }),
    });
    report(context.output, registration, { target, isDryRun });
  },
};

function readTarget<Target extends string>(flags: Flags, targets: readonly Target[]): Target {
  const to = flags.text("to");
  const target = targets.find((candidate) => candidate === to);
  if (target !== undefined) return target;
  throw new UsageError(
    to === undefined ? "--to is missing" : `--to ${to}: no such gateway`,
    `--to ${targets.join(", --to ")}`,
  );
}

function readOptions(flags: Flags, context: Context, { url }: PlatformAccess): ExportOptions {
  const keyEnv = flags.text("key-env") ?? keyEnvDefault;
  const baseUrl = flags.text("base-url");
  if (baseUrl === undefined) {
    context.output.warn(`--base-url was not given: the other gateway is told ${url}`);
  }
  return {
    baseUrl: baseUrl ?? url,
    name: flags.text("name") ?? nameDefault,
    keyEnv,
    ...(flags.has("reveal") && { key: readEnvironment(context, keyEnv, "--reveal") }),
  };
}

function readEnvironment(context: Context, name: string, flag: string): string {
  const value = context.environment[name];
  if (value !== undefined && value !== "") return value;
  throw new UsageError(`${flag}: ${name} is not set`, `set ${name} for this command`);
}

/** Gateways that keep the byom key themselves instead of a reference to it. */
const keepsKey: readonly string[] = ["portkey", "cloudflare", "kong"];

/** The key of this command may make keys and deploy: another gateway needs one for calls only. */
function warnOfOwnKey(context: Context, access: PlatformAccess, given: string | undefined): void {
  if (given !== access.apiKey) return;
  context.output.warn(
    "the other gateway gets the key that this command itself uses; `byom keys create NAME` makes one for calls only",
  );
}

interface ModelView extends ExportModel {
  readonly aliases: readonly string[];
  /** Whether a call can be answered without a provider key of the caller's own. */
  readonly isCallable: boolean;
}

/** The models that were named, or all that can be called. */
async function loadModels(
  context: Context,
  names: readonly string[],
): Promise<{ readonly models: readonly ExportModel[]; readonly access: PlatformAccess }> {
  const platform = await connectPlatform(context);
  const answer = (await platform.call("GET", "/api/v1/catalog/models?schemas=true")) as {
    models: readonly ModelView[];
  };
  const { access } = platform;
  if (names.length === 0) {
    const callable = answer.models.filter((one) => one.isCallable);
    if (callable.length > 0) return { models: callable, access };
    throw new CommandError({
      code: "no_models",
      message: "no model of this platform can be called",
      hint: "push one, add a provider's key, or name the models",
    });
  }
  const models = names.map((name) => {
    const found = answer.models.find(({ id, aliases }) => id === name || aliases.includes(name));
    if (found !== undefined) return found;
    throw new CommandError({
      code: "model_not_found",
      message: `there is no model ${name}`,
      hint: "`byom models list` shows them",
    });
  });
  return { models, access };
}

function noteDocument(output: Output, { notes, skipped }: ExportedDocument): void {
  noteSkipped(output, skipped);
  for (const note of notes) output.note(note);
}

function noteSkipped(output: Output, skipped: readonly SkippedModel[]): void {
  for (const { id, reason } of skipped.slice(0, skippedShownMax)) {
    output.note(`left out ${id}: ${reason}`);
  }
  const more = skipped.length - skippedShownMax;
  if (more > 0) output.note(`left out ${more} more`);
}

function report(
  output: Output,
  registration: Registration,
  { target, isDryRun }: { readonly target: string; readonly isDryRun: boolean },
): void {
  noteSkipped(output, registration.skipped);
  for (const note of registration.notes) output.note(note);
  const verbs = isDryRun
    ? { create: "would create", update: "would update", keep: "would keep" }
    : { create: "created", update: "updated", keep: "kept" };
  const rows = registration.steps.map(({ action, subject }) => [verbs[action], subject]);
  output.answer(formatTable(rows), { to: target, isDryRun, ...registration });
}
