import type { Command, Flags } from "../command.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { readPairs } from "../pairs.ts";
import { connectPlatform } from "../platform-client.ts";

interface LimitLine {
  readonly name: string;
  readonly requests?: number;
  readonly tokens?: number;
  readonly usd?: number;
  readonly concurrency?: number;
  readonly window?: string | number;
  readonly technique?: string;
  readonly per?: readonly string[];
  readonly match?: Readonly<Record<string, unknown>>;
  readonly used?: readonly {
    readonly partition: string;
    readonly standings: readonly {
      readonly measure: string;
      readonly limit: number;
      readonly remaining: number;
    }[];
  }[];
}

const measures = ["requests", "tokens", "usd", "concurrency"] as const;

export const limitsList: Command = {
  usage: "[NAME]",
  positionals: { min: 0, max: 1 },
  async run({ positionals, context }) {
    const [name] = positionals;
    const platform = await connectPlatform(context);
    if (name === undefined) {
      const report = (await platform.call("GET", "/api/v1/limits")) as {
        limits: readonly LimitLine[];
      };
      context.output.answer(formatTable(report.limits.map(rowOf)), report);
      return;
    }
    const limit = (await platform.call("GET", limitPath(name))) as LimitLine;
    const used = (limit.used ?? []).flatMap(({ partition, standings }) =>
      standings.map((standing) => [
        partition === "" ? "all" : partition,
        `${Math.floor(standing.remaining)} of ${standing.limit} ${standing.measure} left`,
      ]),
    );
    context.output.answer(formatTable([rowOf(limit), ...used]), limit);
  },
};

function rowOf(limit: LimitLine): readonly string[] {
  const { name, window = "1m", per = [], match } = limit;
  const numbers = measures.flatMap((measure) =>
    limit[measure] === undefined ? [] : [`${limit[measure]} ${measure}`],
  );
  const span = typeof window === "number" ? `${window}s` : window;
  return [
    name,
    `${numbers.join(", ")} in ${span}`,
    per.length === 0 ? "" : `for each ${per.join(", ")}`,
    match === undefined ? "for all calls" : `where ${JSON.stringify(match)}`,
  ];
}

export const limitsSet: Command = {
  usage:
    "NAME [--requests N] [--tokens N] [--usd X] [--concurrency N] [--window 1m] [--fixed] [--per FIELD]… [--model ID]… [--key NAME]… [--route NAME]… [--metadata NAME=VALUE]…",
  positionals: { min: 1, max: 1 },
  options: {
    requests: { type: "string", value: "N", help: "calls in a window" },
    tokens: { type: "string", value: "N", help: "tokens in a window, in and out" },
    usd: { type: "string", value: "X", help: "US dollars in a window" },
    concurrency: { type: "string", value: "N", help: "calls at once" },
    window: { type: "string", value: "TIME", help: "30s, 1m, 1h, 1d (default 1m)" },
    fixed: { type: "boolean", help: "windows begin at full minutes, hours …; else they slide" },
    per: {
      type: "string",
      value: "FIELD",
      multiple: true,
      help: "counted apart: key.id, model, route, metadata.NAME",
    },
    model: { type: "string", value: "ID", multiple: true, help: "for this one only, or OWNER/*" },
    key: { type: "string", value: "NAME", multiple: true, help: "for calls by this key only" },
    route: { type: "string", value: "NAME", multiple: true, help: "such as dynamic/support" },
    metadata: {
      type: "string",
      value: "NAME=VALUE",
      multiple: true,
      help: "for calls that say so only",
    },
  },
  async run({ positionals, flags, context }) {
    const [name = ""] = positionals;
    const body = limitBody(flags);
    const platform = await connectPlatform(context);
    const limit = (await platform.call("PUT", limitPath(name), body)) as LimitLine;
    context.output.answer(rowOf(limit).filter(Boolean).join(", "), limit);
  },
};

function limitBody(flags: Flags): Readonly<Record<string, unknown>> {
  const numbers = measures.flatMap((measure) => {
    const text = flags.text(measure);
    if (text === undefined) return [];
    const value = Number(text);
    if (text.trim() !== "" && value > 0) return [[measure, value]];
    throw new UsageError(`--${measure} ${text}: expected a number above 0`, `--${measure} 60`);
  });
  if (numbers.length === 0) {
    throw new UsageError("what is limited?", "--requests 60, --tokens 100000, --concurrency 4");
  }
  const window = flags.text("window");
  const per = flags.texts("per");
  const match = matchOf(flags);
  return {
    ...Object.fromEntries(numbers),
    ...(window !== undefined && { window }),
    ...(flags.has("fixed") && { technique: "fixed" }),
    ...(per.length > 0 && { per }),
    ...(Object.keys(match).length > 0 && { match }),
  };
}

function matchOf(flags: Flags): Readonly<Record<string, unknown>> {
  const [models, keys, routes] = [flags.texts("model"), flags.texts("key"), flags.texts("route")];
  const metadata = readPairs(flags.texts("metadata"), { flag: "--metadata", isTyped: true });
  return {
    ...(models.length > 0 && { models }),
    ...(keys.length > 0 && { keys }),
    ...(routes.length > 0 && { routes }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

export const limitsRemove: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [name = ""] = positionals;
    const platform = await connectPlatform(context);
    await platform.call("DELETE", limitPath(name));
    context.output.answer(`${name}: no longer a limit`, { removed: name });
  },
};

function limitPath(name: string): string {
  return `/api/v1/limits/${encodeURIComponent(name)}`;
}
