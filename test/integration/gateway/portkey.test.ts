// Portkey's open-source gateway as npm has it, in front of byom: an app that already goes through it reaches a model here
// with nothing but the exported config. What breaks without it: the config that `byom models export --to portkey` writes.
import { spawn, type ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { exportModels } from "../../../gateway/index.ts";
import { callKey, chatModel, startHarness, type Harness } from "../../unit/gateway/harness.ts";
import type { Play } from "../../unit/gateway/fake-coglet.ts";

const program = fileURLToPath(
  new URL("../../../node_modules/@portkey-ai/gateway/build/start-server.js", import.meta.url),
);
/** It bundles a few megabytes of JavaScript; on a busy machine that takes seconds. */
const startTimeoutMs = 60_000;

const speak: Play = async (prediction) => {
  prediction.start();
  for (const word of ["one ", "two"]) await prediction.output(word);
  prediction.complete({ metrics: { input_tokens: 4, output_tokens: 2 } });
};

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Resolves with its base URL, or with the reason why it does not run. */
async function startPortkey(): Promise<{ child: ChildProcess; url: string } | { reason: string }> {
  const port = await freePort();
  const child = spawn(process.execPath, [program, "--headless", `--port=${port}`], {
    env: { PATH: process.env["PATH"] ?? "", TRUSTED_CUSTOM_HOSTS: "127.0.0.1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let words = "";
  child.stderr?.on("data", (chunk: Buffer) => (words = `${words}${chunk.toString()}`.slice(-500)));
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) return { reason: `it ended with ${child.exitCode}: ${words}` };
    const isUp = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return { child, url };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill("SIGKILL");
  return { reason: `it did not listen within ${startTimeoutMs} ms: ${words}` };
}

describe("Portkey's gateway in front", () => {
  let harness: Harness;
  let started: Awaited<ReturnType<typeof startPortkey>>;

  beforeAll(async () => {
    harness = await startHarness();
    started = await startPortkey();
    if ("reason" in started)
      console.log(`skipped: Portkey's gateway does not start: ${started.reason}`);
  }, 2 * startTimeoutMs);
  afterAll(async () => {
    if ("child" in started) started.child.kill("SIGKILL");
    await harness.close();
  });
  beforeEach((context) => {
    if ("reason" in started) context.skip();
  });

  /** The unmodified OpenAI client, told of Portkey and given the exported config. */
  function client(key: string = callKey): OpenAI {
    const { text } = exportModels("portkey", [chatModel], {
      baseUrl: harness.url,
      name: "byom",
      keyEnv: "BYOM_API_KEY",
      key,
    });
    return new OpenAI({
      apiKey: "unused",
      baseURL: `${"url" in started ? started.url : ""}/v1`,
      defaultHeaders: { "x-portkey-config": JSON.stringify(JSON.parse(text)) },
      maxRetries: 0,
    });
  }
  const messages = [{ role: "user" as const, content: "count" }];

  it("reaches an own model", async () => {
    harness.coglet.play(speak);
    const completion = await client().chat.completions.create({ model: chatModel.id, messages });
    expect(completion.choices[0]?.message.content).toBe("one two");
    expect(completion.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 2 });
    expect(harness.coglet.faults).toEqual([]);
  });

  it("streams from it", async () => {
    harness.coglet.play(speak);
    const stream = await client().chat.completions.create({
      model: chatModel.id,
      messages,
      stream: true,
    });
    const words: string[] = [];
    for await (const chunk of stream) words.push(chunk.choices[0]?.delta?.content ?? "");
    expect(words.join("")).toBe("one two");
  });

  it("passes byom's own refusals on", async () => {
    await expect(
      client("byom_wrong").chat.completions.create({ model: chatModel.id, messages }),
    ).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(
      client().chat.completions.create({ model: "acme/none", messages }),
    ).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });
});
