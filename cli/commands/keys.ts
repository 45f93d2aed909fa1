import type { Command } from "../command.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";

interface Key {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
}

export const keysList: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/keys")) as { keys: readonly Key[] };
    const rows = report.keys.map(({ id, name, scopes, createdAt }) => [
      id,
      name,
      scopes.join(","),
      createdAt,
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

export const keysCreate: Command = {
  usage: "NAME [--scope call|deploy|admin]…",
  positionals: { min: 1, max: 1 },
  options: {
    scope: {
      type: "string",
      multiple: true,
      value: "SCOPE",
      help: "what it may do (default call)",
    },
  },
  async run({ positionals, flags, context }) {
    const scopes = flags.texts("scope");
    const platform = await connectPlatform(context);
    const key = (await platform.call("POST", "/api/v1/keys", {
      name: positionals[0],
      scopes: scopes.length === 0 ? ["call"] : scopes,
    })) as Key & { secret: string };
    context.output.answer(key.secret, key);
  },
};

export const keysRemove: Command = {
  usage: "KEY_ID",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    await platform.call("DELETE", `/api/v1/keys/${positionals[0]}`);
    context.output.answer(`revoked ${positionals[0]}`, { removed: positionals[0] });
  },
};
