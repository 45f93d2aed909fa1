import { describe, expect, it } from "vitest";

import { chatInput } from "../../../../gateway/chat/input.ts";
import type { CatalogEntry } from "../../../../gateway/index.ts";
import { chatModel } from "../harness.ts";

// Which of a model's inputs get what a chat request says. Wrong here means a model that answers something else than
// what was asked, or a parameter that is dropped without a word.

const text = { type: "string" };
const model = (
  properties: Readonly<Record<string, object>>,
  fields: Partial<CatalogEntry> = {},
): CatalogEntry => ({ ...chatModel, inputSchema: { type: "object", properties }, ...fields });
const hi = [{ role: "user", content: "hi" }];
const prompted = model({ prompt: text });
const talking = model({ messages: { type: "array" } });
const picture = { type: "image_url", image_url: { url: "data:image/png;base64,AA" } };
const sound = { type: "input_audio", input_audio: { data: "AA", format: "mp3" } };

const tool = { type: "function", function: { name: "f", parameters: { type: "object" } } };
const failure = (run: () => unknown): { code: string; parameter?: string; message: string } => {
  try {
    run();
  } catch (error) {
    return error as never;
  }
  throw new Error("nothing was refused");
};

describe("the conversation", () => {
  it.each([
    ["messages", model({ messages: text }), { messages: JSON.stringify(hi) }],
    ["messages", talking, { messages: hi }],
    ["prompt", prompted, { prompt: "hi" }],
    ["prompt", model({ text }), { text: "hi" }],
    [
      "mapped messages",
      model({ talk: {} }, { mapping: { inputs: { messages: "talk" } } }),
      { talk: hi },
    ],
    ["mapped prompt", model({ q: text }, { mapping: { inputs: { prompt: "q" } } }), { q: "hi" }],
  ])("goes to the model's %s", (_name, entry, expected) => {
    expect(chatInput(entry, { messages: hi })).toEqual(expected);
  });

  it("may be a prompt in place of messages, for any model", () => {
    expect(chatInput(talking, { prompt: "hi" })).toEqual({ messages: hi });
    expect(chatInput(prompted, { prompt: "hi" })).toEqual({ prompt: "hi" });
    expect(chatInput(talking, { prompt: "hi", system_prompt: "be brief" })).toEqual({
      messages: [{ role: "system", content: "be brief" }, ...hi],
    });
    const both = model({ messages: {}, system_prompt: text });
    expect(chatInput(both, { prompt: "hi", system_prompt: "x" })).toEqual({
      messages: hi,
      system_prompt: "x",
    });
  });

  it("is written turn by turn for a model that takes a prompt and has no template", () => {
    const messages = [
      { role: "developer", content: "be brief" },
      ...hi,
      { role: "assistant", content: "hello" },
      { role: "user", content: [{ type: "text", text: "bye" }] },
    ];
    expect(chatInput(prompted, { messages })).toEqual({
      prompt: "System: be brief\nUser: hi\nAssistant: hello\nUser: bye\nAssistant:",
    });
    expect(chatInput(model({ prompt: text, system_prompt: text }), { messages })).toEqual({
      prompt: "User: hi\nAssistant: hello\nUser: bye\nAssistant:",
      system_prompt: "be brief",
    });
  });

  it("is written by the model's template where it has one", () => {
    const entry = model({ prompt: text, messages: {} }, { mapping: { chatTemplate: "chatml" } });
    expect(chatInput(entry, { messages: hi })).toEqual({
      prompt: "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    });
    expect(chatInput(entry, { prompt: "Once" }, { isRaw: true })).toEqual({ prompt: "Once" });
    expect(chatInput(talking, { prompt: "Once" }, { isRaw: true })).toEqual({
      messages: [{ role: "user", content: "Once" }],
    });
  });

  it.each<[unknown, string]>([
    [undefined, "messages"],
    [[], "messages"],
    ["hi", "messages"],
    [["hi"], "messages[0]"],
    [[{ content: "x" }], "messages[0].role"],
    [[...hi, { role: "robot", content: "x" }], "messages[1].role"],
    [[{ role: "user" }], "messages[0].content"],
    [[{ role: "user", content: 5 }], "messages[0].content"],
    [[...hi, ...hi, { role: "user", content: [{ type: "smell" }] }], "messages[2].content[0].type"],
    [[{ role: "user", content: [{ type: "text" }] }], "messages[0].content[0].text"],
    [
      [{ role: "user", content: [picture, { type: "image_url", image_url: {} }] }],
      "messages[0].content[1].image_url.url",
    ],
    [
      [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }],
      "messages[0].content[0].input_audio.data",
    ],
    [[{ role: "tool", content: "x" }], "messages[0].tool_call_id"],
    [[{ role: "assistant", tool_calls: [{ id: "1" }] }], "messages[0].tool_calls[0].function"],
    [
      [{ role: "assistant", tool_calls: [{ id: "1", function: { name: "f", arguments: {} } }] }],
      "messages[0].tool_calls[0].function.arguments",
    ],
  ])("is refused with the path of what is wrong: %j", (messages, parameter) => {
    for (const entry of [talking, prompted]) {
      expect(failure(() => chatInput(entry, { messages }))).toMatchObject({
        code: "invalid_request",
        parameter,
        message: expect.stringContaining(parameter),
      });
    }
  });
});

describe("a model that is no chat model", () => {
  it.each<[string, CatalogEntry]>([
    [
      "answers with a picture",
      model({ prompt: text }, { outputSchema: { type: "string", format: "uri" } }),
    ],
    [
      "answers with pictures",
      model(
        { prompt: text },
        { outputSchema: { type: "array", items: { type: "string", format: "uri" } } },
      ),
    ],
    ["answers with facts", model({ prompt: text }, { outputSchema: { type: "object" } })],
    ["takes neither messages nor a prompt", model({ audio: text })],
  ])("%s is refused", (_what, entry) => {
    expect(failure(() => chatInput(entry, { messages: hi }))).toMatchObject({
      code: "invalid_request",
      parameter: "model",
    });
  });

  it("can be made one by saying where its answer is", () => {
    const entry = model(
      { prompt: text },
      { outputSchema: { type: "object" }, mapping: { output: "data.text" } },
    );
    expect(chatInput(entry, { messages: hi })).toEqual({ prompt: "hi" });
  });
});

describe("files in messages", () => {
  const said = (...content: unknown[]): { messages: unknown } => ({
    messages: [{ role: "user", content }],
  });
  const words = { type: "text", text: "what is it?" };

  it("go to the inputs that models have for them", () => {
    expect(chatInput(model({ prompt: text, image: text }), said(words, picture))).toEqual({
      prompt: "what is it?",
      image: "data:image/png;base64,AA",
    });
    expect(
      chatInput(model({ prompt: text, images: { type: "array" } }), said(picture, picture)),
    ).toEqual({
      prompt: "",
      images: ["data:image/png;base64,AA", "data:image/png;base64,AA"],
    });
    expect(chatInput(model({ prompt: text, audio: text }), said(sound))).toEqual({
      prompt: "",
      audio: "data:audio/mpeg;base64,AA",
    });
    const seeing = model({ image: text }, { outputSchema: { type: "string" } });
    expect(chatInput(seeing, said(picture))).toEqual({ image: "data:image/png;base64,AA" });
  });

  it("stay in the messages of a model that says it takes them", () => {
    const modalities = { input: ["text", "image"], output: ["text"] } as const;
    const entry = { ...talking, modalities };
    expect(chatInput(entry, said(words, picture))).toEqual(said(words, picture));
    expect(failure(() => chatInput(entry, said(sound)))).toMatchObject({
      code: "unsupported_parameter",
      parameter: "messages[0].content[0]",
    });
  });

  it.each<[string, CatalogEntry, readonly unknown[], string]>([
    ["a picture for one that only reads", prompted, [words, picture], "messages[0].content[1]"],
    ["a picture for one that does not say", talking, [picture], "messages[0].content[0]"],
    [
      "a second picture",
      model({ prompt: text, image: text }),
      [picture, picture],
      "messages[0].content[1]",
    ],
    ["words for one that only sees", model({ image: text }), [words, picture], "messages"],
  ])("are refused: %s", (_what, entry, content, parameter) => {
    expect(failure(() => chatInput(entry, said(...content)))).toMatchObject({
      code: "unsupported_parameter",
      parameter,
    });
  });
});

describe("parameters", () => {
  it.each<[Readonly<Record<string, object>>, Readonly<Record<string, unknown>>, object]>([
    [{ max_new_tokens: {} }, { max_tokens: 5 }, { max_new_tokens: 5 }],
    [{ max_tokens: {} }, { max_completion_tokens: 5, max_tokens: 9 }, { max_tokens: 5 }],
    [{ stop: { type: "array" } }, { stop: "a" }, { stop: ["a"] }],
    [{ stop_sequences: text }, { stop: ["a", "b"] }, { stop_sequences: "a,b" }],
    [{ stop_sequences: text }, { stop: "a,b" }, { stop_sequences: "a,b" }],
    [{ random_seed: {} }, { seed: 1 }, { random_seed: 1 }],
    [{ repeat_penalty: {} }, { repetition_penalty: 1.2 }, { repeat_penalty: 1.2 }],
    [
      { tools: {}, tool_choice: text },
      { tools: [tool], tool_choice: "required" },
      { tools: [tool], tool_choice: "required" },
    ],
    [
      { tools: {}, tool_choice: text },
      { tools: [tool], tool_choice: { type: "function", function: { name: "f" } } },
      { tools: [tool], tool_choice: '{"type":"function","function":{"name":"f"}}' },
    ],
    [{ tools: {} }, { tools: [tool], tool_choice: "none" }, {}],
    [
      { response_format: {} },
      { response_format: { type: "json_object" } },
      { response_format: { type: "json_object" } },
    ],
    [
      { json_schema: text },
      { response_format: { type: "json_object" } },
      { json_schema: '{"type":"object"}' },
    ],
    [
      { json_schema: {} },
      { response_format: { type: "json_schema", json_schema: { schema: { a: 1 } } } },
      { json_schema: { a: 1 } },
    ],
    [{ min_p: {} }, { min_p: 0.1 }, { min_p: 0.1 }],
  ])("a model with %j gets of %j: %j", (properties, given, expected) => {
    const entry = model({ prompt: text, ...properties });
    expect(chatInput(entry, { messages: hi, ...given })).toEqual({ prompt: "hi", ...expected });
  });

  it.each([
    { n: 1, temperature: 1, top_p: 1, presence_penalty: 0, frequency_penalty: 0, logprobs: false },
    { tools: [], tool_choice: "auto", parallel_tool_calls: true, functions: [], logit_bias: {} },
    { response_format: { type: "text" }, stop: [], seed: null, modalities: ["text"], user: "u" },
    { tools: [tool], tool_choice: "none" },
    { stream: true, stream_options: {}, metadata: {}, store: true, service_tier: "auto" },
  ])("that ask for nothing are let through: %j", (given) => {
    expect(chatInput(prompted, { messages: hi, ...given })).toEqual({ prompt: "hi" });
  });

  it.each<[string, unknown]>([
    ["max_tokens", 5],
    ["stop", "a"],
    ["seed", 7],
    ["tools", [tool]],
    ["response_format", { type: "json_object" }],
    ["modalities", ["text", "audio"]],
    ["reasoning_effort", "high"],
    ["logit_bias", { 5: 1 }],
    ["constructor", 1],
    ["__proto__x", "x"],
    ["toString", true],
    ["prediction", { type: "content", content: "x" }],
  ])("that the model has no input for are refused: %s = %j", (name, value) => {
    expect(failure(() => chatInput(prompted, { messages: hi, [name]: value }))).toMatchObject({
      code: "unsupported_parameter",
      parameter: name,
      message: expect.stringMatching(/acme\/chat does not take .*; its inputs are prompt\./),
    });
  });

  it.each<[object, string]>([
    [{ tools: {} }, "tools"],
    [{ tools: [{ type: "function" }] }, "tools[0].function"],
    [{ tools: [tool, { type: "function", function: { name: "" } }] }, "tools[1].function.name"],
    [{ tools: [tool], tool_choice: "sometimes" }, "tool_choice"],
    [{ tool_choice: "required" }, "tool_choice"],
    [
      { tools: [tool], tool_choice: { type: "function", function: { name: "g" } } },
      "tool_choice.function.name",
    ],
    [{ response_format: { type: "xml" } }, "response_format.type"],
    [{ response_format: { type: "json_schema" } }, "response_format.json_schema.schema"],
    [{ stop: ["a", 5] }, "stop[1]"],
  ])("that are malformed are refused by their path: %j", (given, parameter) => {
    const entry = model({
      prompt: text,
      tools: {},
      tool_choice: {},
      response_format: {},
      stop: {},
    });
    expect(failure(() => chatInput(entry, { messages: hi, ...given }))).toMatchObject({
      code: "invalid_request",
      parameter,
    });
  });

  it("are refused where a template gives the tools but nobody can enforce the choice", () => {
    const entry = model({ prompt: text }, { mapping: { chatTemplate: "chatml" } });
    const { prompt } = chatInput(entry, { messages: hi, tools: [tool] });
    expect(prompt).toContain('{"type": "function", "function": {"name": "f"');
    const required = { messages: hi, tools: [tool], tool_choice: "required" };
    expect(failure(() => chatInput(entry, required))).toMatchObject({ parameter: "tool_choice" });
    const llama = model({ prompt: text }, { mapping: { chatTemplate: "llama3" } });
    expect(failure(() => chatInput(llama, { messages: hi, tools: [tool] }))).toMatchObject({
      code: "unsupported_parameter",
      parameter: "tools",
    });
  });
});
