// Whatever the platform answers, the person at the command line reads what is wrong, not that something is.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Context } from "../../../cli/context.ts";
import { connectPlatform } from "../../../cli/platform-client.ts";
import { captureOutput } from "./captured-output.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

async function connectTo(url: string) {
  const folder = createTemporaryFolder();
  const context: Context = {
    environment: { BYOM_URL: url, BYOM_API_KEY: "byom_secret" },
    directory: folder,
    homeDirectory: folder,
    isRoot: false,
    directories: { data: folder, config: join(folder, "config"), run: join(folder, "run") },
    output: captureOutput().output,
    isVerbose: false,
    signal: new AbortController().signal,
  };
  return await connectPlatform(context);
}

/** A platform that gives every request the same answer. */
async function serve(status: number, body: string): Promise<string> {
  const server = createServer((request, response) => {
    const isAuthorized = request.headers.authorization === "Bearer byom_secret";
    response.writeHead(isAuthorized ? status : 401).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it.each([
  ['{"error":{"code":"gone","message":"it is gone","hint":"look"}}', "gone", "it is gone", "look"],
  [
    '{"error":"There is no model a/b.","code":"model_not_found"}',
    "model_not_found",
    "There is no model a/b.",
    undefined,
  ],
  ['{"detail":"busy"}', "http_409", "busy", undefined],
  [
    '{"detail":[{"loc":["body","prompt"],"msg":"is required"}]}',
    "http_409",
    "prompt: is required",
    undefined,
  ],
  ["<html>", "http_409", "the platform answered 409", undefined],
  ["null", "http_409", "the platform answered 409", undefined],
])("tells the problem in %s", async (body, code, message, hint) => {
  const platform = await connectTo(await serve(409, body));
  await expect(platform.call("GET", "/x")).rejects.toMatchObject({ code, message, hint });
});

it("follows events a line at a time and resolves with the last", async () => {
  const platform = await connectTo(await serve(200, '{"a":1}\n\n{"a":"ü"}\n{"a":3}'));
  const events: unknown[] = [];
  const last = await platform.follow("/x", {}, (event) => events.push(event));
  expect(events).toEqual([{ a: 1 }, { a: "ü" }, { a: 3 }]);
  expect(last).toEqual({ a: 3 });
});

it("says how to start a platform that does not answer", async () => {
  const platform = await connectTo("http://127.0.0.1:1");
  await expect(platform.call("GET", "/x")).rejects.toMatchObject({
    code: "platform_unreachable",
    hint: expect.stringContaining("byom up"),
  });
});
