import type { Command, Flags } from "../command.ts";
import { UsageError } from "../errors.ts";
import { connectPlatform, type PlatformClient } from "../platform-client.ts";
import {
  renderBudget,
  renderBudgets,
  type BudgetLine,
  type BudgetsReport,
} from "../report/budgets.ts";

export const budgetsList: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/budgets")) as BudgetsReport;
    context.output.answer(renderBudgets(report), report);
  },
};

export const budgetsShow: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const budget = (await platform.call("GET", pathOf(positionals[0]))) as BudgetLine;
    context.output.answer(renderBudget(budget), budget);
  },
};

const dimension = (what: string) =>
  ({
    type: "string",
    multiple: true,
    value: "VALUE",
    help: `only ${what}; more: any of them`,
  }) as const;

export const budgetsSet: Command = {
  usage: "NAME LIMIT_USD [--window day] [--key KEY]… [--each DIMENSION]… [--alert-url URL]",
  positionals: { min: 2, max: 2 },
  options: {
    window: {
      type: "string",
      value: "WINDOW",
      help: "hour, day, week, month (in UTC), or seconds (default month)",
    },
    sliding: {
      type: "boolean",
      help: "counts the time up to now instead of from the window's begin",
    },
    key: dimension("calls with this API key, by id or name"),
    model: dimension("calls of this model"),
    provider: dimension("calls that this provider answers"),
    route: dimension("calls by this route, such as dynamic/support"),
    metadata: {
      type: "string",
      multiple: true,
      value: "NAME=VALUE",
      help: "only calls with this metadata; of one name several: any of them",
    },
    each: {
      type: "string",
      multiple: true,
      value: "DIMENSION",
      help: "one such budget for each key, model, provider, route or metadata.NAME",
    },
    "alert-at": {
      type: "string",
      value: "PERCENT,…",
      help: "at which shares of the limit to tell (default 50,80,100)",
    },
    "alert-url": { type: "string", value: "URL", help: "who is told, by a signed webhook" },
    off: { type: "boolean", help: "keep it without effect" },
  },
  async run({ positionals, flags, context }) {
    const [name, limit = ""] = positionals;
    if (!/^\d+(?:\.\d+)?$/.test(limit)) {
      throw new UsageError(
        `${limit}: expected US dollars`,
        "byom budgets set app 25 --window month",
      );
    }
    const platform = await connectPlatform(context);
    const budget = (await platform.call("PUT", pathOf(name), {
      limit,
      window: readWindow(flags.text("window") ?? "month"),
      technique: flags.has("sliding") ? "sliding" : "fixed",
      enabled: !flags.has("off"),
      ...(await readScope(flags, platform)),
      alerts: readAlerts(flags),
    })) as BudgetLine;
    context.output.answer(renderBudget(budget), budget);
  },
};

export const budgetsRemove: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    await platform.call("DELETE", pathOf(positionals[0]));
    context.output.answer(`removed ${positionals[0]}`, { removed: positionals[0] });
  },
};

function pathOf(name: string | undefined): string {
  return `/api/v1/budgets/${encodeURIComponent(name ?? "")}`;
}

function readWindow(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function readAlerts(flags: Flags): Readonly<Record<string, unknown>> {
  const at = flags.text("alert-at");
  const url = flags.text("alert-url");
  const thresholds = at?.split(",").map((share) => Number(share.replace("%", "")));
  return { ...(thresholds !== undefined && { thresholds }), ...(url !== undefined && { url }) };
}

type Selection = { readonly mode: "partition" } | { readonly mode: "filter"; values: string[] };
const dimensions = ["key", "model", "provider", "route"] as const;

async function readScope(
  flags: Flags,
  platform: PlatformClient,
): Promise<Readonly<Record<string, unknown>>> {
  const scope: Record<string, Selection> = {};
  const metadata: Record<string, Selection> = {};
  for (const name of dimensions) {
    const values = [...flags.texts(name)];
    if (values.length > 0) scope[name] = { mode: "filter", values };
  }
  if (scope["key"]?.mode === "filter")
    scope["key"].values = await keyIds(scope["key"].values, platform);
  for (const pair of flags.texts("metadata")) {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`${pair}: expected NAME=VALUE`, "--metadata team=search");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const known = metadata[name];
    if (known?.mode === "filter") known.values.push(value);
    else metadata[name] = { mode: "filter", values: [value] };
  }
  for (const name of flags.texts("each")) {
    if (name.startsWith("metadata."))
      metadata[name.slice("metadata.".length)] = { mode: "partition" };
    else if (dimensions.some((one) => one === name)) scope[name] = { mode: "partition" };
    else throw new UsageError(`--each ${name}`, "key, model, provider, route or metadata.NAME");
  }
  return { ...scope, ...(Object.keys(metadata).length > 0 && { metadata }) };
}

/** Keys are counted by their ids; people know them by their names. */
async function keyIds(names: readonly string[], platform: PlatformClient): Promise<string[]> {
  const { keys } = (await platform.call("GET", "/api/v1/keys")) as {
    readonly keys: readonly { readonly id: string; readonly name: string }[];
  };
  return names.flatMap((name) => {
    const found = keys.filter((key) => key.id === name || key.name === name).map(({ id }) => id);
    if (found.length > 0) return found;
    throw new UsageError(`--key ${name}: there is no such key`, "byom keys list");
  });
}
