import type { Command, Flags } from "../command.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";
import type { ModelLine, PriceLine } from "../report/catalog.ts";

export const modelsAdd: Command = {
  usage:
    "[MODEL] --provider NAME [--model NAME | --all] [--task TASK] [--context N] [--price UNIT=USD]…",
  positionals: { min: 0, max: 1 },
  options: {
    provider: {
      type: "string",
      value: "NAME",
      multiple: true,
      help: "who serves it; more are tried in this order (NAME:MODEL where the name differs)",
    },
    model: {
      type: "string",
      value: "NAME",
      help: "as the provider names it (default: MODEL's end)",
    },
    all: { type: "boolean", help: "every model that the provider lists, as PROVIDER/MODEL" },
    task: { type: "string", value: "TASK", help: "default text-generation" },
    description: { type: "string", value: "TEXT", help: "what it is" },
    context: { type: "string", value: "N", help: "context length in tokens" },
    price: {
      type: "string",
      value: "UNIT=USD",
      multiple: true,
      help: "as `byom models price` takes it",
    },
  },
  async run({ positionals, flags, context }) {
    const [id] = positionals;
    const providers = flags.texts("provider");
    const platform = await connectPlatform(context);
    if (flags.has("all")) {
      if (id !== undefined || providers.length !== 1) {
        throw new UsageError("--all takes one --provider and no MODEL", "--provider my-vllm --all");
      }
      const task = flags.text("task");
      const report = (await platform.call("POST", `/api/v1/providers/${providers[0]}/models`, {
        ...(task !== undefined && { task }),
      })) as { added: readonly string[]; skipped: readonly string[] };
      for (const name of report.skipped) context.output.warn(`${name} was left out: no valid id`);
      context.output.answer(report.added.join("\n"), report);
      return;
    }
    if (id === undefined)
      throw new UsageError("an argument is missing", "byom models add MODEL --provider NAME");
    const path = encodeURIComponent(id);
    const model =
      providers.length === 0
        ? await platform.call("POST", `/api/v1/catalog/restore/${path}`)
        : await platform.call("PUT", `/api/v1/catalog/models/${path}`, modelBody(id, flags));
    context.output.answer(`${id}: can be called${waiting(model as ModelLine)}`, model);
  },
};

function waiting({ isCallable }: ModelLine): string {
  return isCallable ? "" : " once its provider has a key, or with one in x-byom-provider-key";
}

function modelBody(id: string, flags: Flags): Readonly<Record<string, unknown>> {
  const name = flags.text("model") ?? id.slice(id.indexOf("/") + 1);
  const upstreams = flags.texts("provider").map((text) => {
    const colonAt = text.indexOf(":");
    return colonAt === -1
      ? { provider: text, model: name }
      : { provider: text.slice(0, colonAt), model: text.slice(colonAt + 1) };
  });
  const [task, description, length] = [
    flags.text("task"),
    flags.text("description"),
    flags.text("context"),
  ];
  const prices = flags.texts("price").map(readPrice);
  return {
    upstreams,
    ...(task !== undefined && { task }),
    ...(description !== undefined && { description }),
    ...(length !== undefined && { contextLength: Number(length) }),
    ...(prices.length > 0 && { prices }),
  };
}

export const modelsRemove: Command = {
  usage: "MODEL [--deployed]",
  positionals: { min: 1, max: 1 },
  options: {
    deployed: {
      type: "boolean",
      help: "MODEL is an own one: also its versions, instances and snapshots",
    },
  },
  async run({ positionals, flags, context }) {
    const [id = ""] = positionals;
    const platform = await connectPlatform(context);
    const path = flags.has("deployed")
      ? `/api/v1/models/${id}`
      : `/api/v1/catalog/models/${encodeURIComponent(id)}`;
    await platform.call("DELETE", path);
    context.output.answer(`${id}: not in the catalog any more`, { removed: id });
  },
};

interface AliasLine {
  readonly alias: string;
  readonly model: string;
}

export const modelsAlias: Command = {
  usage: "[ALIAS [MODEL]] [--remove]",
  positionals: { min: 0, max: 2 },
  options: { remove: { type: "boolean", help: "take the name back" } },
  async run({ positionals, flags, context }) {
    const [alias, model] = positionals;
    const platform = await connectPlatform(context);
    if (alias === undefined) {
      const report = (await platform.call("GET", "/api/v1/aliases")) as {
        aliases: readonly AliasLine[];
      };
      context.output.answer(
        formatTable(report.aliases.map((one) => [one.alias, one.model])),
        report,
      );
      return;
    }
    const path = `/api/v1/aliases/${encodeURIComponent(alias)}`;
    if (flags.has("remove")) {
      await platform.call("DELETE", path);
      context.output.answer(`${alias}: no longer a name`, { removed: alias });
      return;
    }
    if (model === undefined) throw new UsageError("which model?", "byom models alias ALIAS MODEL");
    const set = (await platform.call("PUT", path, { model })) as AliasLine;
    context.output.answer(`${set.alias}: another name of ${set.model}`, set);
  },
};

/** How people name the units; prices of tokens are for a million. */
const units: Readonly<Record<string, readonly [unit: string, per: number]>> = {
  input: ["input-token", 1_000_000],
  cached: ["cached-input-token", 1_000_000],
  "cache-write": ["cache-write-token", 1_000_000],
  output: ["output-token", 1_000_000],
  reasoning: ["reasoning-token", 1_000_000],
  characters: ["character", 1_000_000],
  image: ["image", 1],
  megapixel: ["megapixel", 1],
  video: ["video", 1],
  second: ["second", 1],
  "audio-second": ["audio-second", 1],
  "video-second": ["video-second", 1],
  "gpu-second": ["gpu-second", 1],
  "gpu-hour": ["gpu-second", 3_600],
  "instance-second": ["instance-second", 1],
  "cold-start-second": ["cold-start-second", 1],
  hour: ["second", 3_600],
  request: ["request", 1],
};

export function readPrice(text: string): PriceLine {
  const [name = "", usd = ""] = text.split("=", 2);
  const unit = units[name];
  if (unit === undefined || !/^\d+(?:\.\d+)?$/.test(usd)) {
    throw new UsageError(
      `${text}: expected UNIT=DOLLARS`,
      `units are ${Object.keys(units).join(", ")}; input, cached, output and characters are per million`,
    );
  }
  return { unit: unit[0], per: unit[1], usd };
}
