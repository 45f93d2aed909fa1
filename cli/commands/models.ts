import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";

interface VersionLine {
  readonly number: number;
  readonly digest: string;
  readonly createdAt: string;
  readonly createdBy?: string;
  readonly card: { readonly task: string; readonly description: string };
}

export const versions: Command = {
  usage: "OWNER/NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", `/api/v1/models/${positionals[0]}/versions`)) as {
      versions: readonly VersionLine[];
    };
    const rows = report.versions.map(({ number, digest, createdAt, createdBy }) => [
      `v${number}`,
      digest,
      createdAt,
      createdBy ?? "",
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

export const promote: Command = {
  usage: "OWNER/NAME VERSION [--percent N]",
  positionals: { min: 2, max: 2 },
  options: { percent: { type: "string", value: "N", help: "share of the traffic (default 100)" } },
  async run({ positionals, flags, context }) {
    const [modelId, version] = [positionals[0], readVersion(positionals[1] ?? "")];
    const percent = flags.text("percent");
    const platform = await connectPlatform(context);
    const release = await platform.call("POST", `/api/v1/models/${modelId}/promote`, {
      version,
      ...(percent !== undefined && { percent: Number(percent) }),
    });
    context.output.answer(`${modelId}: version ${version} serves ${percent ?? 100} %`, release);
  },
};

export const rollback: Command = {
  usage: "OWNER/NAME [VERSION]",
  positionals: { min: 1, max: 2 },
  async run({ positionals, context }) {
    const [modelId, version] = positionals;
    const platform = await connectPlatform(context);
    const body = version === undefined ? {} : { version: readVersion(version) };
    const release = await platform.call("POST", `/api/v1/models/${modelId}/rollback`, body);
    context.output.answer(`${modelId}: rolled back`, release);
  },
};

export const scale: Command = {
  usage: "OWNER/NAME [--min N] [--max N] [--to paused|zero]",
  positionals: { min: 1, max: 1 },
  options: {
    min: { type: "string", value: "N", help: "instances that stay ready" },
    max: { type: "string", value: "N", help: "instances at most" },
    to: { type: "string", value: "TIER", help: "paused or zero: let the idle instances go now" },
    "next-cold": { type: "boolean", help: "with --to zero: the next start passes the snapshot by" },
  },
  async run({ positionals, flags, context }) {
    const to = flags.text("to");
    if (to !== undefined && to !== "paused" && to !== "zero") {
      throw new UsageError(`--to ${to}: expected paused or zero`, "--to zero");
    }
    const [min, max] = [flags.text("min"), flags.text("max")];
    const platform = await connectPlatform(context);
    const model = await platform.call("POST", `/api/v1/models/${positionals[0]}/scale`, {
      ...(min !== undefined && { min: Number(min) }),
      ...(max !== undefined && { max: Number(max) }),
      ...(to !== undefined && { to: to === "zero" ? "stopped" : to }),
      ...(flags.has("next-cold") && { nextStart: "cold" }),
    });
    context.output.answer(`${positionals[0]}: scaled`, model);
  },
};

/** What the instances of a model, or one instance, printed. */
export async function reportInstanceLogs(
  name: string,
  { lines, context }: { readonly lines: string; readonly context: Context },
): Promise<void> {
  const platform = await connectPlatform(context);
  const instances = name.includes("/") ? await instancesOf(platform, name) : [name];
  const found = [];
  for (const id of instances) {
    const answer = (await platform.call("GET", `/api/v1/instances/${id}/logs?lines=${lines}`)) as {
      logs: string;
    };
    found.push({ instance: id, logs: answer.logs });
  }
  const text = found.map(({ instance, logs: printed }) => `── ${instance}\n${printed}`).join("\n");
  context.output.answer(text || `${name} is at zero: no instance has a log`, found);
}

async function instancesOf(
  platform: Awaited<ReturnType<typeof connectPlatform>>,
  modelId: string,
): Promise<readonly string[]> {
  const model = (await platform.call("GET", `/api/v1/models/${modelId}`)) as {
    instances: readonly { id: string }[];
  };
  return model.instances.map(({ id }) => id);
}

function readVersion(text: string): number {
  const version = Number(text.replace(/^v/, ""));
  if (Number.isInteger(version) && version > 0) return version;
  throw new UsageError(`"${text}" is no version number`, "`byom versions OWNER/NAME` lists them");
}
