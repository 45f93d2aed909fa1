// The catalog as an operator works with it at the command line, against a real gateway: what is said is what happened.
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commands } from "../../../../cli/commands/index.ts";
import type { Context } from "../../../../cli/context.ts";
import { findCommand, parseCommandLine } from "../../../../cli/parse.ts";
import type { ProviderDouble } from "../../../support/provider-double.ts";
import {
  keys,
  removeDirectory,
  startPlatform,
  startVllm,
  vllmKey,
  type Platform,
} from "../../gateway/admin/platform.ts";
import { captureOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

let platform: Platform;
let vllm: ProviderDouble;
beforeEach(async () => {
  platform = await startPlatform({ environment: { VLLM_KEY: vllmKey } });
  vllm = await startVllm();
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(platform.directory);
  await vllm.close();
});

/** Runs a command line; its stdout as text, or as JSON with `--json`. */
async function byom(line: string): Promise<string> {
  const argv = line.split(" ");
  const found = findCommand(commands, argv);
  if (found === undefined) throw new Error(`no command: ${line}`);
  const command = await found.entry.load();
  const { flags, positionals } = parseCommandLine(found.entry.name, command, found.rest);
  const captured = captureOutput({ isJson: flags.has("json") });
  const folder = createTemporaryFolder();
  const context: Context = {
    environment: { BYOM_URL: platform.url, BYOM_API_KEY: keys.admin },
    directory: folder,
    homeDirectory: folder,
    isRoot: false,
    directories: { data: folder, config: join(folder, "config"), run: join(folder, "run") },
    output: captured.output,
    isVerbose: false,
    signal: new AbortController().signal,
  };
  await command.run({ positionals, flags, context });
  return captured.stdout().trimEnd();
}

const addVllm = (): Promise<string> =>
  byom(`providers add my-vllm --url ${vllm.baseUrl} --key-env VLLM_KEY --allow-private`);

it("a server of one's own is added, tested, and all its models are callable", async () => {
  expect(await addVllm()).toBe(`my-vllm: openai-compatible at ${vllm.baseUrl}, key from VLLM_KEY`);
  expect(await byom("providers test my-vllm")).toMatch(
    /^my-vllm answers in \d+ ms and takes the key, lists 3 models$/,
  );
  expect(await byom("models add --provider my-vllm --all")).toBe(
    "my-vllm/Qwen/Qwen3-8B\nmy-vllm/bge-m3",
  );
  expect((await platform.chat("my-vllm/Qwen/Qwen3-8B")).status).toBe(200);
  expect(await byom("providers list")).toBe(
    `my-vllm  openai-compatible  ${vllm.baseUrl}  key from VLLM_KEY`,
  );
  expect(await byom("providers remove my-vllm")).toBe("my-vllm: removed with its key");
  expect(await byom("models list my-vllm --task text-generation")).toBe(
    "my-vllm/Qwen/Qwen3-8B  my-vllm (needs a key)  text-generation",
  );
});

it("a private address needs the operator's word", async () => {
  await expect(byom(`providers add my-vllm --url ${vllm.baseUrl}`)).rejects.toMatchObject({
    code: "invalid_request",
    hint: expect.stringContaining("--allow-private"),
  });
});

it("one model is added with a price, shown, renamed, and removed", async () => {
  await addVllm();
  expect(
    await byom(
      "models add team/qwen --provider my-vllm:Qwen/Qwen3-8B --context 32768 --price input=0.1 --price output=0.4",
    ),
  ).toBe("team/qwen: can be called");
  expect(await byom("models show team/qwen")).toBe(
    [
      "id         team/qwen",
      "name       qwen",
      "task       text-generation",
      "from       added",
      "served by  my-vllm: Qwen/Qwen3-8B",
      "calls      predictions, chat-completions, completions, responses, messages",
      "can        streaming",
      "context    32768 tokens",
      "price      $0.1 per M input tokens, $0.4 per M output tokens",
    ].join("\n"),
  );
  expect(await byom("models alias gpt-4o team/qwen")).toBe("gpt-4o: another name of team/qwen");
  expect((await platform.chat("gpt-4o")).status).toBe(200);
  expect(await byom("models alias")).toBe("gpt-4o  team/qwen");
  expect(await byom("models alias gpt-4o --remove")).toBe("gpt-4o: no longer a name");
  expect((await platform.chat("gpt-4o")).status).toBe(404);
  expect(await byom("models remove team/qwen")).toBe("team/qwen: not in the catalog any more");
  expect((await platform.chat("team/qwen")).status).toBe(404);
});

it("own models come first in the list, with version and state, and get a price", async () => {
  expect(await byom("models price acme/chat second=0.000225")).toBe(
    "acme/chat: $0.000225 per second",
  );
  expect(await byom("models list --from own")).toBe(
    [
      "acme/chat  v3 idle  text-generation  $0.000225 per second",
      "acme/ocr   v7 idle  image-to-text",
    ].join("\n"),
  );
  expect(await byom("models price acme/chat --clear")).toBe("acme/chat: no price set here");
  expect(await byom("models price acme/chat")).toBe("");
});

it("with --json comes one document, with everything that the catalog knows", async () => {
  const report = JSON.parse(await byom("models list kimi-k2.5 --json")) as unknown;
  expect(report).toMatchObject({
    models: [{ id: "@cf/moonshotai/kimi-k2.5", isCallable: false, contextLength: 256_000 }],
  });
  expect(JSON.parse(await byom("models show acme/chat --json"))).toMatchObject({
    inputSchema: { required: ["prompt"] },
  });
});

describe("newer facts", () => {
  const list = {
    openai: { id: "openai", models: { "gpt-4o": { id: "gpt-4o", cost: { input: 1, output: 2 } } } },
  };

  it("come from a file", async () => {
    const file = join(createTemporaryFolder(), "api.json");
    await writeFile(file, JSON.stringify(list));
    expect(await byom(`models refresh --from ${file}`)).toBe(
      `1 models have the facts of ${file} (models.dev); 0 more are listed`,
    );
    expect(await byom("models price openai/gpt-4o")).toBe(
      `$1 per M input tokens (${file}, 2026-11-23)\n$2 per M output tokens (${file}, 2026-11-23)`,
    );
    expect(await byom("models list openai/gpt-4o --from openai")).toContain("$1 / $2 per M tokens");
  });

  it("come from a URL, and a failing one changes nothing", async () => {
    let status = 200;
    const server = createServer((_request, response) => {
      response.writeHead(status).end(JSON.stringify(list));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api.json`;
    try {
      expect(await byom(`models refresh --from ${url}`)).toContain("1 models have the facts");
      status = 500;
      await expect(byom(`models refresh --from ${url}`)).rejects.toThrow(/status 500/);
    } finally {
      server.close();
    }
    expect(await byom("models price openai/gpt-4o")).toContain("$1 per M input tokens");
  });

  it.each([
    ["that are no JSON", "<html>", /not JSON/],
    ["of another kind", '{"a":1}', /no list of models/],
  ])("%s are refused", async (_what, text, message) => {
    const file = join(createTemporaryFolder(), "api.json");
    await writeFile(file, text);
    await expect(byom(`models refresh --from ${file}`)).rejects.toThrow(message);
  });
});

describe("a command line that cannot be meant", () => {
  it.each([
    ["models add", /argument is missing/],
    ["models add --all", /--all takes one --provider/],
    ["models add a/b --provider my-vllm --all", /--all takes one --provider/],
    ["models alias x", /which model/],
    ["models price acme/chat gold=1", /expected UNIT=DOLLARS/],
    ["models price acme/chat input=-1", /expected UNIT=DOLLARS/],
    ["models refresh", /--from is missing/],
    ["providers add x --key-stdin --key-env Y", /exclude each other/],
    ["providers add x --header novalue", /expected NAME=VALUE/],
  ])("byom %s", async (line, message) => {
    await expect(byom(line)).rejects.toThrow(message);
    await expect(byom(line)).rejects.toHaveProperty("code", "usage");
  });
});
