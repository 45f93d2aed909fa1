import type { Command } from "../command.ts";
import { readDuration } from "../duration.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";

interface Key {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly models?: readonly string[];
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly lastUsedAt?: string;
  readonly formerExpiresAt?: string;
}

export const keysList: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/keys")) as { keys: readonly Key[] };
    const rows = report.keys.map((key) => [
      key.id,
      key.name,
      key.scopes.join(","),
      key.models?.join(",") ?? "all models",
      `created ${day(key.createdAt)}`,
      key.lastUsedAt === undefined ? "never used" : `used ${minute(key.lastUsedAt)}`,
      describeEnd(key),
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

const expires = {
  type: "string",
  value: "TIME",
  help: "after which it opens nothing, such as 30d (default: never)",
} as const;

export const keysCreate: Command = {
  usage: "NAME [--scope call|deploy|admin]… [--models PATTERN,…] [--expires 30d]",
  positionals: { min: 1, max: 1 },
  options: {
    scope: {
      type: "string",
      multiple: true,
      value: "SCOPE",
      help: "what it may do (default call)",
    },
    models: {
      type: "string",
      multiple: true,
      value: "PATTERN,…",
      help: "which models it is for, such as me/*,@cf/* (default: all)",
    },
    expires,
  },
  async run({ positionals, flags, context }) {
    const scopes = flags.texts("scope");
    const models = flags.texts("models").flatMap((list) => list.split(",").filter(Boolean));
    const expiresInMs = readDuration("--expires", flags.text("expires"));
    const platform = await connectPlatform(context);
    const key = (await platform.call("POST", "/api/v1/keys", {
      name: positionals[0],
      scopes: scopes.length === 0 ? ["call"] : scopes,
      ...(models.length > 0 && { models }),
      ...(expiresInMs !== undefined && { expiresInMs }),
    })) as Key & { secret: string };
    context.output.answer(key.secret, key);
  },
};

export const keysRotate: Command = {
  usage: "KEY_ID [--grace 1h] [--expires 30d]",
  positionals: { min: 1, max: 1 },
  options: {
    grace: {
      type: "string",
      value: "TIME",
      help: "how long the old secret opens beside the new one (default: not at all)",
    },
    expires: { ...expires, help: "a new end for the key, from now (default: it keeps its own)" },
  },
  async run({ positionals, flags, context }) {
    const graceMs = readDuration("--grace", flags.text("grace"));
    const expiresInMs = readDuration("--expires", flags.text("expires"));
    const platform = await connectPlatform(context);
    const key = (await platform.call("POST", `/api/v1/keys/${positionals[0]}/rotate`, {
      ...(graceMs !== undefined && { graceMs }),
      ...(expiresInMs !== undefined && { expiresInMs }),
    })) as Key & { secret: string };
    const { formerExpiresAt } = key;
    context.output.note(
      formerExpiresAt === undefined
        ? "the old secret opens nothing any more"
        : `the old secret opens until ${minute(formerExpiresAt)}`,
    );
    context.output.answer(key.secret, key);
  },
};

export const keysRevoke: Command = {
  usage: "KEY_ID",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    await platform.call("DELETE", `/api/v1/keys/${positionals[0]}`);
    context.output.answer(`revoked ${positionals[0]}`, { revoked: positionals[0] });
  },
};

function describeEnd(key: Key): string {
  const former =
    key.formerExpiresAt === undefined
      ? ""
      : `, its old secret opens until ${minute(key.formerExpiresAt)}`;
  if (key.expiresAt === undefined) return `never expires${former}`;
  const verb = Date.parse(key.expiresAt) > Date.now() ? "expires" : "expired";
  return `${verb} ${minute(key.expiresAt)}${former}`;
}

/** ISO 8601 to the day, in UTC. */
function day(timestamp: string): string {
  return timestamp.slice(0, 10);
}

function minute(timestamp: string): string {
  return `${timestamp.slice(0, 16).replace("T", " ")} UTC`;
}
