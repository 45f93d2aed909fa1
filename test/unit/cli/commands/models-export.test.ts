// `byom models export` and `register` from the command line: what goes to stdout can be piped into the other gateway, and
// nobody's admin key goes there unnoticed.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import type { Command } from "../../../../cli/command.ts";
import { modelsExport, modelsRegister } from "../../../../cli/commands/models-export.ts";
import { parseCommandLine } from "../../../../cli/parse.ts";
import { startKongDouble, adminToken } from "../../gateway/export/admin-doubles.ts";
import { exported } from "../../gateway/export/models.ts";
import { captureOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

/** A platform that knows the catalog's route alone. */
async function servePlatform(
  isCallable = (id: string): boolean => !id.startsWith("@cf/"),
): Promise<string> {
  const models = exported.map((model, index) => ({
    ...model,
    aliases: index === 0 ? ["chat"] : [],
    isCallable: isCallable(model.id),
    upstreams: [{ kind: "deployment", model: model.id, isConfigured: true }],
  }));
  const server = createServer((request, response) => {
    const isKnown = request.url === "/api/v1/catalog/models?schemas=true";
    response.writeHead(isKnown ? 200 : 404).end(JSON.stringify({ models }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function run(
  command: Command,
  line: string,
  environment: Readonly<Record<string, string>> = {},
) {
  const folder = createTemporaryFolder();
  const { output, stdout, stderr } = captureOutput({ isJson: line.includes("--json") });
  const { flags, positionals } = parseCommandLine("models export", command, line.split(" "));
  const context = {
    environment: { BYOM_URL: await servePlatform(), BYOM_API_KEY: "byom_admin", ...environment },
    directory: folder,
    homeDirectory: folder,
    isRoot: false,
    directories: { data: folder, config: join(folder, "config"), run: join(folder, "run") },
    output,
    isVerbose: false,
    signal: AbortSignal.timeout(20_000),
  };
  await command.run({ flags, positionals, context });
  return { stdout: stdout(), stderr: stderr() };
}

const base = "--base-url https://models.example.com";

it("writes the document alone to stdout, and what has to be known to stderr", async () => {
  const { stdout, stderr } = await run(modelsExport, `--to litellm ${base}`);
  expect(stdout).toMatch(/^model_list:\n/);
  expect(stdout).toContain("me/chat");
  expect(stdout).not.toContain("@cf/");
  expect(stderr).toContain("left out me/ocr");
  expect(stderr).toContain("BYOM_API_KEY");
});

it("takes the models that are named, by alias too, also those that only a caller's key can call", async () => {
  const { stdout } = await run(modelsExport, `chat @cf/moonshotai/kimi-k2.5 --to helicone ${base}`);
  expect(stdout).toContain("me/chat");
  expect(stdout).toContain("@cf/moonshotai/kimi-k2.5");
  await expect(run(modelsExport, `me/none --to helicone ${base}`)).rejects.toMatchObject({
    code: "model_not_found",
  });
});

it("says so when there is nothing to export", async () => {
  const url = await servePlatform(() => false);
  await expect(run(modelsExport, `--to helicone ${base}`, { BYOM_URL: url })).rejects.toMatchObject(
    { code: "no_models" },
  );
});

it("prints one JSON document with --json", async () => {
  const { stdout } = await run(modelsExport, `--to kong --json ${base}`);
  expect(JSON.parse(stdout)).toMatchObject({
    to: "kong",
    language: "yaml",
    skipped: [{ id: "me/painter" }, { id: "me/ocr" }],
  });
});

it("reveals the key only when told to, and warns when it is this command's own", async () => {
  const hidden = await run(modelsExport, `--to litellm ${base}`);
  expect(hidden.stdout).not.toContain("byom_admin");
  const own = await run(modelsExport, `--to litellm --reveal ${base}`);
  expect(own.stdout).toContain("api_key: byom_admin");
  expect(own.stderr).toContain("the key that this command itself uses");
  const other = await run(modelsExport, `--to litellm --reveal --key-env CALL_KEY ${base}`, {
    CALL_KEY: "byom_call",
  });
  expect(other.stdout).toContain("api_key: byom_call");
  expect(other.stderr).not.toContain("warning");
  await expect(run(modelsExport, `--to litellm --reveal --key-env NONE ${base}`)).rejects.toThrow(
    "NONE is not set",
  );
});

it.each([
  [modelsExport, `${base}`, "--to is missing"],
  [modelsExport, `--to lightllm ${base}`, "no such gateway"],
  [modelsRegister, `--to envoy --url http://h ${base}`, "no such gateway"],
  [modelsRegister, `--to kong ${base}`, "--url is missing"],
  [modelsRegister, `--to kong --url http://h --token-env NONE ${base}`, "NONE is not set"],
])("a command line that cannot work is refused: %#", async (command, line, message) => {
  await expect(run(command, line)).rejects.toThrow(message);
});

it("registers, says what it made, and in a dry run what it would", async () => {
  const kong = await startKongDouble();
  onTestFinished(() => kong.close());
  const line = `chat --to kong --url ${kong.url} --token-env KONG_TOKEN --key-env CALL_KEY ${base}`;
  const environment = { KONG_TOKEN: adminToken, CALL_KEY: "byom_call" };
  const dry = await run(modelsRegister, `${line} --dry-run`, environment);
  expect(dry.stdout).toContain("would create  service byom");
  expect(kong.changes).toEqual([]);
  const { stdout, stderr } = await run(modelsRegister, line, environment);
  expect(stdout).toBe(
    "created  service byom\ncreated  route byom-me-chat\ncreated  plugin ai-proxy of byom-me-chat\n",
  );
  expect(`${stdout}${stderr}`).not.toContain("byom_call");
  expect((await run(modelsRegister, line, environment)).stdout).toContain(
    "updated  route byom-me-chat",
  );
});
