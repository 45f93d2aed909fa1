import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";

import type { CatalogEntry } from "../../../gateway/index.ts";
import type { Play } from "../../unit/gateway/fake-coglet.ts";
import {
  callKey,
  chatModel,
  startHarness,
  StartError,
  type Harness,
} from "../../unit/gateway/harness.ts";

// Agents and chats in the clients that people have, as their makers publish them, on an own model that takes tools.

const agentModel: CatalogEntry = {
  ...chatModel,
  id: "acme/agent",
  inputSchema: {
    type: "object",
    properties: {
      messages: { type: "array", items: { type: "object" } },
      tools: { type: "array" },
      tool_choice: {},
      response_format: { type: "object" },
      max_tokens: { type: "integer" },
      temperature: { type: "number" },
      stop: { type: "array" },
    },
  },
};

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models: [agentModel, chatModel] });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const metrics = { input_tokens: 4, output_tokens: 3 };
const say =
  (...words: readonly string[]): Play =>
  async (prediction) => {
    prediction.start();
    for (const word of words) await prediction.output(word);
    prediction.complete({ metrics });
  };
/** As an own model writes a call: in text, cut anywhere. */
const callWeather = say(
  "<tool_ca",
  'll>\n{"name": "weather", "argum',
  'ents": {"city": "Rome"}}\n</tool_call>',
);
const breakOff: Play = async (prediction) => {
  prediction.start();
  await prediction.output("one ");
  await new Promise((resolve) => setTimeout(resolve, 50));
  prediction.cut();
};
const messages = [{ role: "user" as const, content: "Weather in Rome?" }];
const parameters = { type: "object" as const, properties: { city: { type: "string" } } };

describe("openai", () => {
  const client = (): OpenAI =>
    new OpenAI({ apiKey: callKey, baseURL: `${harness.url}/v1`, maxRetries: 0 });
  const tools = [{ type: "function" as const, function: { name: "weather", parameters } }];

  it("runs tools to the end with its own runner", async () => {
    harness.coglet.play(callWeather, say("Sunny in ", "Rome."));
    const asked: unknown[] = [];
    const runner = client().chat.completions.runTools({
      model: "acme/agent",
      messages,
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            description: "Weather of a city",
            parameters,
            parse: (text: string) => JSON.parse(text) as { city: string },
            function: ({ city }: { city: string }) => {
              asked.push(city);
              return "sunny";
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe("Sunny in Rome.");
    expect(asked).toEqual(["Rome"]);
    const said = harness.coglet.predictions[1]?.input["messages"] as { role: string }[];
    expect(said.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
  });

  it("streams a tool call and assembles it", async () => {
    harness.coglet.play(callWeather);
    const stream = client().chat.completions.stream({ model: "acme/agent", messages, tools });
    const completion = await stream.finalChatCompletion();
    expect(completion.choices[0]?.finish_reason).toBe("tool_calls");
    expect(completion.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      type: "function",
      function: { name: "weather", arguments: '{"city":"Rome"}' },
    });
  });

  it("asks for JSON, and completes a prompt, whole and streamed", async () => {
    harness.coglet.play(say('{"ok":', "true}"), say("upon ", "a time"), say("upon ", "a time"));
    const shaped = await client().chat.completions.create({
      model: "acme/agent",
      messages,
      response_format: { type: "json_object" },
    });
    expect(JSON.parse(shaped.choices[0]?.message.content ?? "")).toEqual({ ok: true });
    const once = { model: "acme/chat", prompt: "Once" };
    const whole = await client().completions.create(once);
    expect(whole.choices[0]?.text).toBe("upon a time");
    let text = "";
    for await (const chunk of await client().completions.create({ ...once, stream: true })) {
      text += chunk.choices[0]?.text ?? "";
    }
    expect(text).toBe("upon a time");
    expect(harness.coglet.predictions[1]?.input).toEqual({ prompt: "Once" });
  });
});

describe("@anthropic-ai/sdk", () => {
  const client = (): Anthropic =>
    new Anthropic({ apiKey: callKey, baseURL: harness.url, maxRetries: 0 });
  const question = { model: "acme/agent", max_tokens: 50, messages };
  const tools = [{ name: "weather", input_schema: parameters }];

  it("gets a message, whole and streamed", async () => {
    harness.coglet.play(say("one ", "thrée"));
    const message = await client().messages.create({ ...question, system: "Count." });
    expect(message.content).toEqual([{ type: "text", text: "one thrée", citations: null }]);
    expect(message.usage).toMatchObject({ input_tokens: 4, output_tokens: 3 });
    expect(message._request_id).toMatch(/^req_/);
    const stream = client().messages.stream(question);
    const words: string[] = [];
    stream.on("text", (word) => words.push(word));
    const final = await stream.finalMessage();
    expect(words).toEqual(["one ", "thrée"]);
    expect(final).toMatchObject({ stop_reason: "end_turn", usage: { output_tokens: 3 } });
  });

  it("gets tool calls, whole and streamed, and answers them", async () => {
    harness.coglet.play(callWeather, callWeather, say("Sunny."));
    const whole = await client().messages.create({ ...question, tools });
    const streamed = await client()
      .messages.stream({ ...question, tools })
      .finalMessage();
    const call = { type: "tool_use", name: "weather", input: { city: "Rome" } };
    expect(whole).toMatchObject({ stop_reason: "tool_use", content: [call] });
    expect(streamed).toMatchObject({ stop_reason: "tool_use", content: [call] });
    const [used] = whole.content;
    if (used?.type !== "tool_use") throw new Error("no tool was used");
    const result = { type: "tool_result" as const, tool_use_id: used.id, content: "sunny" };
    const answer = await client().messages.create({
      ...question,
      tools,
      messages: [
        ...messages,
        { role: "assistant", content: whole.content },
        { role: "user", content: [result] },
      ],
    });
    expect(answer.content).toMatchObject([{ type: "text", text: "Sunny." }]);
    expect(harness.coglet.predictions[2]?.input["messages"]).toMatchObject([
      { role: "user" },
      { role: "assistant", content: null, tool_calls: [{ id: used.id }] },
      { role: "tool", tool_call_id: used.id, content: "sunny" },
    ]);
  });

  it("counts tokens and lists models", async () => {
    const { input_tokens: counted } = await client().messages.countTokens({
      model: "acme/agent",
      messages,
    });
    expect(counted).toBe(4);
    const ids: string[] = [];
    for await (const model of client().models.list()) ids.push(model.id);
    expect(ids).toEqual(["acme/agent", "acme/chat"]);
    expect((await client().models.retrieve("acme/chat")).display_name).toBe("chat");
  });

  it("throws its own errors, also on a stream that breaks", async () => {
    const create = (fields: object) => client().messages.create({ ...question, ...fields });
    await expect(create({ model: "acme/none" })).rejects.toBeInstanceOf(Anthropic.NotFoundError);
    await expect(create({ top_k: 5 })).rejects.toBeInstanceOf(Anthropic.BadRequestError);
    const wrong = new Anthropic({ apiKey: "wrong", baseURL: harness.url });
    await expect(wrong.messages.create(question)).rejects.toBeInstanceOf(
      Anthropic.AuthenticationError,
    );
    harness.coglet.play(breakOff);
    await expect(client().messages.stream(question).finalMessage()).rejects.toThrow(/broke/);
  });

  it("retries a model without room and then answers", async () => {
    let tries = 0;
    harness.upstream.gate = () =>
      (tries += 1) === 1
        ? Promise.reject(new StartError("capacity", "busy", 10))
        : Promise.resolve();
    harness.coglet.play(say("ok"));
    const retrying = new Anthropic({ apiKey: callKey, baseURL: harness.url, maxRetries: 1 });
    expect((await retrying.messages.create(question)).content).toMatchObject([{ text: "ok" }]);
    expect(tries).toBe(2);
  });
});

describe("ai with @ai-sdk/openai-compatible", () => {
  const model = (id = "acme/agent") =>
    createOpenAICompatible({
      name: "byom",
      baseURL: `${harness.url}/v1`,
      apiKey: callKey,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })(id);
  const weather = (asked: string[]) =>
    tool({
      description: "Weather of a city",
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => {
        asked.push(city);
        return Promise.resolve("sunny");
      },
    });

  it("generates text, with usage", async () => {
    harness.coglet.play(say("one ", "two"));
    const { text, usage, finishReason } = await generateText({
      model: model("acme/chat"),
      prompt: "count",
    });
    expect(text).toBe("one two");
    expect(finishReason).toBe("stop");
    expect(usage).toMatchObject({ inputTokens: 4, outputTokens: 3, totalTokens: 7 });
  });

  it("generates an object by its schema", async () => {
    harness.coglet.play(say('{"city":"Rome"}'));
    const { output } = await generateText({
      model: model(),
      prompt: "where?",
      output: Output.object({ schema: z.object({ city: z.string() }) }),
    });
    expect(output).toEqual({ city: "Rome" });
    expect(harness.coglet.predictions[0]?.input["response_format"]).toMatchObject({
      type: "json_schema",
      json_schema: { schema: { properties: { city: { type: "string" } } } },
    });
  });

  it("streams text with tools: a call, its result, and the answer", async () => {
    harness.coglet.play(callWeather, say("Sunny in ", "Rome."));
    const asked: string[] = [];
    const result = streamText({
      model: model(),
      prompt: "Weather in Rome?",
      tools: { weather: weather(asked) },
      stopWhen: stepCountIs(3),
    });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces).toEqual(["Sunny in", " Rome."]);
    expect(asked).toEqual(["Rome"]);
    expect((await result.steps).map(({ finishReason }) => finishReason)).toEqual([
      "tool-calls",
      "stop",
    ]);
    expect((await result.totalUsage).outputTokens).toBe(6);
  });

  it("says that a stream broke", async () => {
    harness.coglet.play(breakOff);
    const errors: unknown[] = [];
    const result = streamText({
      model: model("acme/chat"),
      prompt: "count",
      maxRetries: 0,
      onError: ({ error }) => {
        errors.push(error);
      },
    });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces).toEqual(["one "]);
    expect(JSON.stringify(errors)).toContain("broke");
  });
});
