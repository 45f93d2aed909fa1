import type { Command, Flags, Option } from "../command.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";
import { describeCall, callRow, type CallLine, type CallPayload } from "../report/call-log.ts";
import { reportInstanceLogs } from "./models.ts";

/** Flags of a search, each with the parameter of the API that it becomes. */
const filters: Readonly<Record<string, Option & { readonly parameter: string }>> = {
  since: filter("from", "TIME", "calls that began since then: 15m, 2h, 7d, or a time"),
  until: filter("to", "TIME", "calls that began before then"),
  model: filter("model", "MODEL", "that answered; owner/* for all of an owner"),
  provider: filter("provider", "NAME", "byom for own models, or a third party"),
  key: filter("key", "KEY_ID", "of one API key"),
  route: filter("route", "NAME", "such as dynamic/cheap"),
  surface: filter("surface", "NAME", "openai, anthropic, replicate, workers-ai, ai-gateway, cog"),
  status: filter("status", "STATUS,…", "succeeded, failed, canceled, aborted"),
  code: filter("code", "CODE,…", "such as upstream_timeout"),
  "min-cost": filter("min_cost", "USD", "that cost at least so much"),
  "min-duration": filter("min_duration", "MS", "that took at least so many milliseconds"),
  text: filter("text", "WORDS", "words in the error, or in a kept input or output"),
  request: filter("request_id", "ID", "of one request (x-request-id)"),
  event: filter("event_id", "ID", "of one event (cf-aig-event-id)"),
};

const filterOptions: Readonly<Record<string, Option>> = {
  ...Object.fromEntries(
    Object.entries(filters).map(([name, { parameter: _parameter, ...option }]) => [name, option]),
  ),
  metadata: {
    type: "string",
    short: "m",
    multiple: true,
    value: "KEY=VALUE",
    help: "of the caller's metadata; repeatable, all must hold",
  },
  failed: { type: "boolean", help: "only calls that did not succeed" },
  cached: { type: "boolean", help: "only answers from the cache" },
};

export const logs: Command = {
  usage:
    "[OWNER/NAME | INSTANCE] [--follow] [--since 2h] [--failed] [--model MODEL] [-m KEY=VALUE]…",
  positionals: { min: 0, max: 1 },
  options: {
    ...filterOptions,
    follow: { type: "boolean", short: "f", help: "go on with calls as they end" },
    lines: {
      type: "string",
      short: "n",
      value: "N",
      help: "the last N calls (default 20), or lines of an instance (default 200)",
    },
  },
  async run({ positionals, flags, context }) {
    const [name] = positionals;
    if (name !== undefined) {
      await reportInstanceLogs(name, { lines: flags.text("lines") ?? "200", context });
      return;
    }
    const query = readFilters(flags);
    if (flags.has("follow")) await follow(query, context);
    else await list(query, { context, limit: flags.text("lines") ?? "20" });
  },
};

export const logsShow: Command = {
  usage: "ID",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const path = `/api/v1/logs/${encodeURIComponent(positionals[0] ?? "")}`;
    const call = (await platform.call("GET", path)) as CallLine;
    const payload = call.hasPayload
      ? ((await platform.call("GET", `${path}/payload`)) as CallPayload)
      : undefined;
    context.output.answer(describeCall(call, payload), { ...call, ...payload });
  },
};

export const logsExport: Command = {
  usage: "[--payloads] [--since 7d] [--model MODEL] [-m KEY=VALUE]… [> FILE]",
  positionals: { min: 0, max: 0 },
  options: {
    ...filterOptions,
    payloads: { type: "boolean", help: "with input and output of the calls that have them" },
  },
  async run({ flags, context }) {
    const query = readFilters(flags);
    if (flags.has("payloads")) query.append("payloads", "true");
    const platform = await connectPlatform(context);
    const found: unknown[] = [];
    for await (const line of platform.lines(`/api/v1/logs/export?${query.toString()}`)) {
      // The one document of --json must be whole before it is printed.
      if (context.output.isJson) found.push(JSON.parse(line));
      else context.output.write(`${line}\n`);
    }
    context.output.answer("", { logs: found });
  },
};

export const logsDelete: Command = {
  usage: "[ID] [--until 30d] [-m KEY=VALUE]…",
  positionals: { min: 0, max: 1 },
  options: filterOptions,
  async run({ positionals, flags, context }) {
    const query = readFilters(flags);
    const [id] = positionals;
    if (id === undefined && query.size === 0) {
      throw new UsageError(
        "which calls?",
        "byom logs delete ID, or -m customer=42, or --until 30d",
      );
    }
    const platform = await connectPlatform(context);
    if (id !== undefined) query.append("id", id);
    const report = (await platform.call("DELETE", `/api/v1/logs?${query.toString()}`)) as {
      deleted: number;
    };
    context.output.answer(`deleted ${report.deleted} of the log`, report);
  },
};

export const logsFeedback: Command = {
  usage: "ID [--good | --bad] [--score N] [-m KEY=VALUE]…",
  positionals: { min: 1, max: 1 },
  options: {
    good: { type: "boolean", help: "feedback 1" },
    bad: { type: "boolean", help: "feedback -1" },
    score: { type: "string", value: "N", help: "any number" },
    metadata: {
      type: "string",
      short: "m",
      multiple: true,
      value: "KEY=VALUE",
      help: "to be added to the call's metadata; repeatable",
    },
  },
  async run({ positionals, flags, context }) {
    const score = flags.text("score");
    if (score !== undefined && !Number.isFinite(Number(score))) {
      throw new UsageError(`--score ${score}: expected a number`, "--score 0.8");
    }
    const metadata = Object.fromEntries(flags.texts("metadata").map(readPair));
    const platform = await connectPlatform(context);
    const call = await platform.call(
      "PATCH",
      `/api/v1/logs/${encodeURIComponent(positionals[0] ?? "")}`,
      {
        ...(flags.has("good") && { feedback: 1 }),
        ...(flags.has("bad") && { feedback: -1 }),
        ...(score !== undefined && { score: Number(score) }),
        ...(Object.keys(metadata).length > 0 && { metadata }),
      },
    );
    context.output.answer(`noted for ${positionals[0]}`, call);
  },
};

async function list(
  query: URLSearchParams,
  { context, limit }: { readonly context: Context; readonly limit: string },
): Promise<void> {
  query.append("limit", limit);
  const platform = await connectPlatform(context);
  const report = (await platform.call("GET", `/api/v1/logs?${query.toString()}`)) as {
    readonly logs: readonly CallLine[];
  };
  const text = report.logs.length === 0 ? "no such calls" : formatTable(report.logs.map(callRow));
  context.output.answer(text, report);
}

/** Until it is interrupted; with `--json` one document after the other, for the answer has no end. */
async function follow(query: URLSearchParams, context: Context): Promise<void> {
  const platform = await connectPlatform(context);
  let event = "";
  for await (const line of platform.lines(`/api/v1/logs/tail?${query.toString()}`)) {
    if (line.startsWith("event: ")) event = line.slice("event: ".length);
    if (!line.startsWith("data: ")) continue;
    const data = line.slice("data: ".length);
    if (event === "missed") {
      const { entries } = JSON.parse(data) as { readonly entries: number };
      context.output.warn(`${entries} calls passed by: they are in the log`);
    } else if (context.output.isJson) {
      context.output.answer("", JSON.parse(data));
    } else {
      context.output.write(`${callRow(JSON.parse(data) as CallLine).join("  ")}\n`);
    }
  }
}

function filter(
  parameter: string,
  value: string,
  help: string,
): Option & { readonly parameter: string } {
  return { type: "string", value, help, parameter };
}

function readFilters(flags: Flags): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, { parameter }] of Object.entries(filters)) {
    const value = flags.text(name);
    if (value !== undefined) query.append(parameter, value);
  }
  for (const pair of flags.texts("metadata")) query.append("metadata", pair);
  if (flags.has("failed")) query.append("status", "failed,canceled,aborted");
  if (flags.has("cached")) query.append("cached", "true");
  return query;
}

function readPair(pair: string): readonly [string, string] {
  const equals = pair.indexOf("=");
  if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)];
  throw new UsageError(`-m ${pair}: expected KEY=VALUE`, "-m team=search");
}
