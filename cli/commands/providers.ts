import type { Command, Flags } from "../command.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";
import { readSecret } from "../stdin.ts";

interface ProviderLine {
  readonly name: string;
  readonly adapter: string;
  readonly baseUrl: string;
  readonly from: string;
  readonly key: {
    readonly kind: string;
    readonly name?: string;
    readonly isSet: boolean;
    readonly problem?: string;
  };
}

export const providersList: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/providers")) as {
      providers: readonly ProviderLine[];
    };
    const rows = report.providers.map((provider) => [
      provider.name,
      provider.adapter,
      provider.baseUrl,
      describeKey(provider.key),
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

function describeKey({ kind, name, isSet, problem }: ProviderLine["key"]): string {
  if (kind === "none") return "no key";
  const where = name === undefined ? "key stored" : `key from ${name}`;
  return isSet ? where : `no key: ${problem}`;
}

export const providersAdd: Command = {
  usage:
    "NAME [--adapter ID] [--url BASE_URL] [--key-stdin | --key-env NAME] [--header NAME=VALUE]… [--allow-private]",
  positionals: { min: 1, max: 1 },
  options: {
    adapter: {
      type: "string",
      value: "ID",
      help: "how it speaks (default: NAME if that is one, else openai-compatible)",
    },
    url: { type: "string", value: "BASE_URL", help: "such as http://10.0.0.5:8000/v1" },
    "key-stdin": { type: "boolean", help: "read its API key from standard input" },
    "key-env": { type: "string", value: "NAME", help: "a variable of the platform that holds it" },
    header: { type: "string", value: "NAME=VALUE", multiple: true, help: "sent with every call" },
    "allow-private": { type: "boolean", help: "it is a server of your own, on a private address" },
  },
  async run({ positionals, flags, context }) {
    const [name = ""] = positionals;
    const body = await providerBody(name, flags, context);
    const platform = await connectPlatform(context);
    const provider = (await platform.call("PUT", providerPath(name), body)) as ProviderLine;
    context.output.answer(
      `${provider.name}: ${provider.adapter} at ${provider.baseUrl}, ${describeKey(provider.key)}`,
      provider,
    );
  },
};

async function providerBody(
  name: string,
  flags: Flags,
  context: Context,
): Promise<Readonly<Record<string, unknown>>> {
  const [url, variable] = [flags.text("url"), flags.text("key-env")];
  if (flags.has("key-stdin") && variable !== undefined) {
    throw new UsageError("--key-stdin and --key-env exclude each other", "--key-stdin");
  }
  const key = flags.has("key-stdin")
    ? await readSecret(process.stdin, { flag: "--key-stdin", signal: context.signal })
    : undefined;
  const headers = flags.texts("header").map(readHeader);
  return {
    adapter: flags.text("adapter") ?? (knownAdapters.has(name) ? name : "openai-compatible"),
    ...(url !== undefined && { baseUrl: url }),
    ...(key !== undefined && { key }),
    ...(variable !== undefined && { keyEnvironment: variable }),
    ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
    ...(flags.has("allow-private") && { allowPrivate: true }),
  };
}

const knownAdapters: ReadonlySet<string> = new Set([
  "openai",
  "anthropic",
  "google",
  "alibaba",
  "assemblyai",
  "bytedance",
  "inworld",
  "minimax",
  "pixverse",
  "recraft",
  "runway",
  "vidu",
  "workers-ai",
  "replicate",
]);

function readHeader(text: string): readonly [string, string] {
  const equalsAt = text.indexOf("=");
  if (equalsAt > 0) return [text.slice(0, equalsAt), text.slice(equalsAt + 1)];
  throw new UsageError(`--header ${text}: expected NAME=VALUE`, "--header x-team=search");
}

function providerPath(name: string, rest = ""): string {
  return `/api/v1/providers/${encodeURIComponent(name)}${rest}`;
}

export const providersRemove: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [name = ""] = positionals;
    const platform = await connectPlatform(context);
    await platform.call("DELETE", providerPath(name));
    context.output.answer(`${name}: removed with its key`, { removed: name });
  },
};

export const providersTest: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [name = ""] = positionals;
    const platform = await connectPlatform(context);
    const probe = (await platform.call("POST", providerPath(name, "/test"), {})) as {
      isReachable: boolean;
      isKeyAccepted?: boolean;
      status?: number;
      models?: readonly string[];
      message?: string;
      durationMs: number;
    };
    const said = probe.message === undefined ? "" : `: ${probe.message}`;
    const key = {
      true: "takes the key",
      false: "refuses the key",
      undefined: "says nothing of the key",
    };
    const models = probe.models === undefined ? "" : `, lists ${probe.models.length} models`;
    context.output.answer(
      probe.isReachable
        ? `${name} answers in ${probe.durationMs} ms and ${key[`${probe.isKeyAccepted}`]}${models}${said}`
        : `${name} does not answer${said}`,
      probe,
    );
  },
};

export const providersRotate: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("POST", "/api/v1/providers/master-key/rotate", {})) as {
      secrets: number;
    };
    context.output.answer(`${report.secrets} keys are encrypted under a new master key`, report);
  },
};
