// An app that talks to a small model of one's own as it would to a large one of somebody else's: tools, JSON mode and
// other vendors' clients. If one of these fails, an own model is no drop-in for a hosted one.
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { stepCountIs, streamText, tool } from "ai";
import { mkdtemp, rm } from "node:fs/promises";
import OpenAI from "openai";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { createByom, type Byom } from "../support/byom.ts";

let byom: Byom;
let workspace: string;
let access: { url: string; apiKey: string };

beforeAll(async () => {
  byom = await createByom();
  workspace = await mkdtemp(join(tmpdir(), "byom-models-"));
  await byom.json("up", "--detach", "--port", "0");
  access = await byom.access();
  await byom.json("init", join(workspace, "chat"), "--template", "chat");
  await byom.json("-C", join(workspace, "chat"), "push", "test/chat");
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await rm(workspace, { recursive: true, force: true });
});

it("calls a function of the app and goes on with what it gave, in the AI SDK's streamText", async () => {
  const provider = createOpenAICompatible({
    name: "byom",
    baseURL: `${access.url}/v1`,
    apiKey: access.apiKey,
    includeUsage: true,
  });
  const asked: string[] = [];
  const result = streamText({
    model: provider("test/chat"),
    prompt: "What is the weather in Paris?",
    temperature: 0,
    maxOutputTokens: 60,
    tools: {
      get_weather: tool({
        description: "Weather of a city",
        inputSchema: z.object({ city: z.string() }),
        execute: ({ city }) => {
          asked.push(city);
          return Promise.resolve("18 degrees and sunny");
        },
      }),
    },
    prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }),
    stopWhen: stepCountIs(2),
  });
  const text = await result.text;
  const steps = await result.steps;
  expect(asked).toEqual([expect.stringMatching(/paris/i)]);
  expect(steps.map(({ finishReason }) => finishReason)).toEqual(["tool-calls", "stop"]);
  expect(text).toContain("18");
  expect((await result.usage).outputTokens).toBeGreaterThan(0);
});

it("calls the one function that was named, and answers in the shape that a schema asks for", async () => {
  const client = new OpenAI({ baseURL: `${access.url}/v1`, apiKey: access.apiKey });
  const language = { type: "string", enum: ["French", "German"] };
  const functions = ["translate", "summarize"].map((name) => ({
    type: "function" as const,
    function: {
      name,
      parameters: { type: "object", properties: { language }, required: ["language"] },
    },
  }));
  const called = await client.chat.completions.create({
    model: "test/chat",
    messages: [{ role: "user", content: "Translate this sentence." }],
    max_tokens: 80,
    temperature: 0,
    tools: functions,
    tool_choice: { type: "function", function: { name: "translate" } },
  });
  const [call] = called.choices[0]?.message.tool_calls ?? [];
  if (call?.type !== "function") throw new Error("no function was called");
  expect(call.function.name).toBe("translate");
  expect(JSON.parse(call.function.arguments)).toMatchObject({
    language: expect.stringMatching(/French|German/),
  });
  expect(called.choices[0]).toMatchObject({
    finish_reason: "tool_calls",
    message: { content: null },
  });

  const schema = {
    type: "object",
    properties: { city: { type: "string" }, isCapital: { type: "boolean" } },
    required: ["city", "isCapital"],
    additionalProperties: false,
  };
  const shaped = await client.chat.completions.create({
    model: "test/chat",
    messages: [{ role: "user", content: "Paris is the capital of France." }],
    max_tokens: 80,
    temperature: 0,
    response_format: { type: "json_schema", json_schema: { name: "city", schema } },
  });
  const answer: unknown = JSON.parse(shaped.choices[0]?.message.content ?? "");
  expect(answer).toEqual({ city: expect.any(String), isCapital: expect.any(Boolean) });
});

it("talks to Anthropic's client, whole and streamed, with tools", async () => {
  const client = new Anthropic({ baseURL: access.url, apiKey: access.apiKey });
  const question = {
    model: "test/chat",
    system: "Be brief.",
    messages: [{ role: "user" as const, content: "Say hello." }],
    max_tokens: 24,
    temperature: 0,
  };
  const whole = await client.messages.create(question);
  expect(whole.content[0]).toMatchObject({ type: "text", text: expect.stringMatching(/hello/i) });
  const stream = client.messages.stream({
    ...question,
    max_tokens: 60,
    tools: [
      {
        name: "greet",
        description: "Greets somebody",
        input_schema: {
          type: "object",
          properties: { name: { type: "string" } },
          required: ["name"],
        },
      },
    ],
    tool_choice: { type: "any" },
  });
  const message = await stream.finalMessage();
  expect(message.stop_reason).toBe("tool_use");
  expect(message.content).toEqual([
    expect.objectContaining({
      type: "tool_use",
      name: "greet",
      input: { name: expect.any(String) },
    }),
  ]);
});

it("stops at a word, and says that a picture is nothing for it", async () => {
  const client = new OpenAI({ baseURL: `${access.url}/v1`, apiKey: access.apiKey });
  const stopped = await client.completions.create({
    model: "test/chat",
    prompt: "Count: one, two, three, four, five, six",
    max_tokens: 60,
    temperature: 0,
    stop: ["three"],
  });
  expect(stopped.choices[0]?.text).not.toContain("three");
  const image = { type: "image_url" as const, image_url: { url: "data:image/png;base64,AAAA" } };
  const refused = client.chat.completions.create({
    model: "test/chat",
    messages: [{ role: "user", content: [image] }],
  });
  await expect(refused).rejects.toMatchObject({ code: "unsupported_parameter", status: 400 });
});
