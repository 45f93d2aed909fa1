import { stringify } from "yaml";

import type { Command, Flags } from "../command.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { readPairs } from "../pairs.ts";
import { connectPlatform } from "../platform-client.ts";
import { readDocumentFile, routeNameOf } from "../route-file.ts";
import { formatTry, type TryReport } from "../report/route.ts";

interface RouteLine {
  readonly name: string;
  readonly call: string;
  readonly description?: string;
  readonly version: number;
  readonly models: readonly string[];
  readonly modifiedAt: string;
  readonly isNew?: boolean;
  readonly document?: unknown;
}

function routePath(name: string, rest = ""): string {
  return `/api/v1/routes/${encodeURIComponent(name)}${rest}`;
}

export const routesList: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/routes")) as {
      routes: readonly RouteLine[];
    };
    const rows = report.routes.map(({ call, version, models, description = "" }) => [
      call,
      `version ${version}`,
      models.join(" → "),
      description,
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

export const routesShow: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [name = ""] = positionals;
    const platform = await connectPlatform(context);
    const route = (await platform.call("GET", routePath(name))) as RouteLine;
    const health = (await platform.call("GET", routePath(name, "/health"))) as {
      legs: readonly HealthLine[];
    };
    const head = `# ${route.call}, version ${route.version}, since ${route.modifiedAt}\n`;
    const legs = health.legs.map((leg) => `# ${leg.leg}: ${healthWords(leg)}\n`).join("");
    context.output.answer(`${head}${legs}${stringify(route.document)}`, { ...route, health });
  },
};

interface HealthLine {
  readonly leg: string;
  readonly upstreams: readonly {
    readonly provider: string;
    readonly upstreamModel: string;
    readonly breaker: string;
    readonly state?: string;
  }[];
  readonly problem?: { readonly message: string };
}

function healthWords({ upstreams, problem }: HealthLine): string {
  if (problem !== undefined) return problem.message;
  return upstreams
    .map(({ provider, upstreamModel, breaker, state }) => {
      const how = breaker === "closed" ? (state ?? "in use") : `left alone (${breaker})`;
      return `${upstreamModel} at ${provider}, ${how}`;
    })
    .join("; ");
}

export const routesSet: Command = {
  usage: "FILE [--name NAME]",
  positionals: { min: 1, max: 1 },
  options: {
    name: {
      type: "string",
      value: "NAME",
      help: "default: the file's `name`, else its own; models/ID says how a model is called",
    },
  },
  async run({ positionals, flags, context }) {
    const [file = ""] = positionals;
    const document = await readDocumentFile(file, context);
    const name = flags.text("name") ?? routeNameOf(file, document);
    const platform = await connectPlatform(context);
    const route = (await platform.call("PUT", routePath(name), document)) as RouteLine;
    const models = route.models.join(" → ");
    context.output.answer(`${route.call}: version ${route.version}, ${models}`, route);
  },
};

export const routesRemove: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [name = ""] = positionals;
    const platform = await connectPlatform(context);
    await platform.call("DELETE", routePath(name));
    context.output.answer(`${name}: removed with its versions`, { removed: name });
  },
};

export const routesVersions: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [name = ""] = positionals;
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", routePath(name, "/versions"))) as {
      versions: readonly {
        readonly version: number;
        readonly createdAt: string;
        readonly isActive: boolean;
      }[];
    };
    const rows = report.versions.map(({ version, createdAt, isActive }) => [
      String(version),
      createdAt,
      isActive ? "in use" : "",
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

export const routesRollback: Command = {
  usage: "NAME [--to VERSION]",
  positionals: { min: 1, max: 1 },
  options: {
    to: { type: "string", value: "VERSION", help: "default: the one that was in use before" },
  },
  async run({ positionals, flags, context }) {
    const [name = ""] = positionals;
    const version = wholeNumber(flags, "to");
    const platform = await connectPlatform(context);
    const body = version === undefined ? {} : { version };
    const route = (await platform.call("POST", routePath(name, "/rollback"), body)) as RouteLine;
    context.output.answer(`${route.call}: version ${route.version} is in use`, route);
  },
};

export const routesTry: Command = {
  usage:
    "NAME [--metadata NAME=VALUE]… [--header NAME=VALUE]… [--key NAME] [--input FILE | --bytes N] [--draw X] [--at TIME] [--version N]",
  positionals: { min: 1, max: 1 },
  options: {
    metadata: {
      type: "string",
      value: "NAME=VALUE",
      multiple: true,
      help: "of the call; a number or true/false is taken as such",
    },
    header: { type: "string", value: "NAME=VALUE", multiple: true, help: "of the call" },
    key: { type: "string", value: "NAME", help: "whose key calls" },
    input: { type: "string", value: "FILE", help: "the request's JSON (or YAML)" },
    bytes: { type: "string", value: "N", help: "how long the request is, in its place" },
    draw: { type: "string", value: "X", help: "0 to 1, where calls are shared out" },
    at: { type: "string", value: "TIME", help: "such as 2026-11-23T22:00:00Z; default: now" },
    version: { type: "string", value: "N", help: "another version than the one in use" },
  },
  async run({ positionals, flags, context }) {
    const [name = ""] = positionals;
    const [file, key, at] = [flags.text("input"), flags.text("key"), flags.text("at")];
    const [bytes, version] = [wholeNumber(flags, "bytes"), wholeNumber(flags, "version")];
    const draw = flags.text("draw");
    const input = file === undefined ? undefined : await readDocumentFile(file, context);
    const platform = await connectPlatform(context);
    const report = (await platform.call("POST", routePath(name, "/try"), {
      metadata: readPairs(flags.texts("metadata"), { flag: "--metadata", isTyped: true }),
      headers: readPairs(flags.texts("header"), { flag: "--header" }),
      ...(key !== undefined && { key: { name: key } }),
      ...(input !== undefined && { input }),
      ...(bytes !== undefined && { bytes }),
      ...(draw !== undefined && { draw: Number(draw) }),
      ...(at !== undefined && { at }),
      ...(version !== undefined && { version }),
    })) as TryReport;
    context.output.answer(formatTry(report), report);
  },
};

function wholeNumber(flags: Flags, name: string): number | undefined {
  const text = flags.text(name);
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`--${name} ${text}: expected a whole number`, `--${name} 2`);
}
