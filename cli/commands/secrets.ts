import { readFile } from "node:fs/promises";
import type { Command, Flags } from "../command.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";
import { readHiddenLine } from "../prompt.ts";
import { readSecret } from "../stdin.ts";

interface SecretLine {
  readonly modelId: string;
  readonly name: string;
  readonly scope: "run" | "setup";
  readonly createdAt: string;
}

export const secretsSet: Command = {
  usage: "OWNER/NAME SECRET [--setup] [--from-file FILE]",
  positionals: { min: 2, max: 2 },
  options: {
    setup: {
      type: "boolean",
      help: "setup() needs it too: it is in the environment, and in snapshots, which are not pushed",
    },
    "from-file": {
      type: "string",
      value: "FILE",
      help: "the value (default: standard input, or what you type)",
    },
  },
  async run({ positionals, flags, context }) {
    const [modelId = "", name = ""] = positionals;
    if (name.includes("=")) {
      throw new UsageError(
        "the value is not an argument: those are in shell histories and process lists",
        `printf %s "$VALUE" | byom secrets set ${modelId} ${name.slice(0, name.indexOf("="))}`,
      );
    }
    const platform = await connectPlatform(context);
    const value = await readValue(name, flags, context);
    const secret = (await platform.call("POST", `/api/v1/models/${modelId}/secrets`, {
      name,
      value,
      scope: flags.has("setup") ? "setup" : "run",
    })) as SecretLine;
    context.output.note(takesEffect);
    context.output.answer(`set ${secret.name} of ${modelId} (${describeScope(secret)})`, secret);
  },
};

export const secretsList: Command = {
  usage: "OWNER/NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", `/api/v1/models/${positionals[0]}/secrets`)) as {
      readonly secrets: readonly SecretLine[];
    };
    const rows = report.secrets.map((secret) => [
      secret.name,
      describeScope(secret),
      `set ${secret.createdAt.slice(0, 16).replace("T", " ")} UTC`,
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

export const secretsRemove: Command = {
  usage: "OWNER/NAME SECRET",
  positionals: { min: 2, max: 2 },
  async run({ positionals, context }) {
    const [modelId, name = ""] = positionals;
    const platform = await connectPlatform(context);
    const path = `/api/v1/models/${modelId}/secrets/${encodeURIComponent(name)}`;
    await platform.call("DELETE", path);
    context.output.note(takesEffect);
    context.output.answer(`removed ${name} of ${modelId}`, { removed: name });
  },
};

const takesEffect =
  "instances that start from now on see the change; `byom scale OWNER/NAME --to zero` lets the idle ones go";

function describeScope({ scope }: SecretLine): string {
  return scope === "setup" ? "setup and predictions" : "predictions";
}

async function readValue(name: string, flags: Flags, context: Context): Promise<string> {
  const file = flags.text("from-file");
  if (file !== undefined) {
    const text = await readFile(file, "utf8").catch((error: Error) => {
      throw new UsageError(`--from-file ${file}: ${error.message}`, "--from-file token.txt");
    });
    return text.replace(/\r?\n$/, "");
  }
  const { signal } = context;
  if (process.stdin.isTTY) return await readHiddenLine(`value of ${name}: `, { signal });
  return await readSecret(process.stdin, { flag: `secrets set … ${name}`, signal });
}
