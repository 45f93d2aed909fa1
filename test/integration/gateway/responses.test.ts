import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startHarness, type Harness } from "../../unit/gateway/harness.ts";
import { client, collect, create, models, say, speak, typesOf } from "./responses-support.ts";

// OpenAI's Responses API in front of own models, with OpenAI's own client unmodified. If one of these fails, an agent
// loses its conversation, or takes half an answer for a whole one.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

describe("a whole response", () => {
  it("has text, usage and what was asked", async () => {
    harness.coglet.play(speak);
    const response = await create(harness, {
      instructions: "Be brief.",
      max_output_tokens: 50,
      metadata: { ticket: "7" },
    });
    expect(response).toMatchObject({
      id: expect.stringMatching(/^resp_[a-z2-7]{26}$/),
      object: "response",
      status: "completed",
      model: "acme/agent",
      output_text: "one two",
      instructions: "Be brief.",
      max_output_tokens: 50,
      metadata: { ticket: "7" },
      store: true,
      error: null,
      usage: { input_tokens: 4, output_tokens: 3, total_tokens: 7 },
    });
    expect(response.output).toMatchObject([
      { type: "message", role: "assistant", status: "completed" },
    ]);
    expect(harness.coglet.predictions[0]?.input).toEqual({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "count" },
      ],
      max_tokens: 50,
    });
  });

  it("says that it was cut by its bound", async () => {
    harness.coglet.play(say(["one"], { input_tokens: 1, output_tokens: 16 }));
    const response = await create(harness, { max_output_tokens: 16 });
    expect(response).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ status: "incomplete" }],
    });
  });

  it("carries images, tools, their answers and a JSON schema to the model", async () => {
    harness.coglet.play(speak);
    await create(harness, {
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: "What is it?" },
            { type: "input_image", image_url: "data:image/png;base64,AA==", detail: "low" },
          ],
        },
        { type: "reasoning", id: "rs_1", summary: [] },
        { type: "function_call", call_id: "c1", name: "look", arguments: '{"at":1}' },
        { type: "function_call_output", call_id: "c1", output: "a cat" },
        { role: "assistant", content: "A cat." },
      ],
      tools: [
        { type: "function", name: "look", parameters: { type: "object" }, strict: true },
        { type: "function", name: "listen", parameters: null, strict: false },
      ],
      tool_choice: {
        type: "allowed_tools",
        mode: "required",
        tools: [{ type: "function", name: "look" }],
      },
      text: {
        format: { type: "json_schema", name: "animal", schema: { type: "object" }, strict: true },
      },
      reasoning: { effort: "low" },
    });
    expect(harness.coglet.predictions[0]?.input).toEqual({
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AA==", detail: "low" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: "c1", type: "function", function: { name: "look", arguments: '{"at":1}' } },
          ],
        },
        { role: "tool", tool_call_id: "c1", content: "a cat" },
        { role: "assistant", content: "A cat." },
      ],
      tools: [
        {
          type: "function",
          function: { name: "look", parameters: { type: "object" }, strict: true },
        },
      ],
      tool_choice: "required",
      response_format: {
        type: "json_schema",
        json_schema: { name: "animal", schema: { type: "object" }, strict: true },
      },
      reasoning_effort: "low",
    });
  });

  it("fails with the status and the reason", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "no words", output: null });
    });
    await expect(create(harness, {})).rejects.toMatchObject({
      status: 500,
      message: expect.stringContaining("no words"),
    });
  });

  it("refuses what it cannot do with the parameter's name, before anything is woken", async () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ input: [] }, "input"],
      [{ input: 5 }, "input"],
      [{ input: [{ role: "robot", content: "x" }] }, "input[0].role"],
      [
        { input: [{ role: "user", content: [{ type: "input_smell" }] }] },
        "input[0].content[0].type",
      ],
      [{ input: [{ type: "web_search_call" }] }, "input[0]"],
      [{ input: [{ type: "item_reference", id: "msg_none_0" }] }, "input[0]"],
      [{ tools: [{ type: "web_search" }] }, "tools[0]"],
      [{ truncation: "auto" }, "truncation"],
      [{ conversation: "c" }, "conversation"],
      [{ metadata: { k: "v".repeat(513) } }, "metadata.k"],
      [{ text: { format: { type: "xml" } } }, "text.format"],
      [{ background: true, store: false }, "background"],
      [{ previous_response_id: "resp_none" }, "previous_response_id"],
      [{ temperature: 0.5 }, "temperature"],
      [{ stream: "yes" }, "stream"],
    ];
    for (const [fields, param] of wrong) {
      await expect(create(harness, fields), JSON.stringify(fields)).rejects.toMatchObject({
        param,
      });
    }
    await expect(create(harness, { model: "acme/none" })).rejects.toBeInstanceOf(
      OpenAI.NotFoundError,
    );
    expect(harness.upstream.acquired).toEqual([]);
  });
});

describe("a streamed response", () => {
  it("has OpenAI's events in OpenAI's order, numbered", async () => {
    harness.coglet.play(speak);
    const events = await collect(
      await client(harness).responses.create({ model: "acme/chat", input: "count", stream: true }),
    );
    expect(typesOf(events)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(events.map(({ sequence_number: at }) => at)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const last = events.at(-1);
    expect(last?.type === "response.completed" && last.response).toMatchObject({
      status: "completed",
      output: [{ content: [{ text: "one two" }] }],
      usage: { total_tokens: 7 },
    });
  });

  it("is put together by the client's own helper, reasoning and parallel calls too", async () => {
    harness.coglet.play(
      say([
        { type: "reasoning", text: "Two " },
        { type: "reasoning", text: "places." },
        "Looking. ",
        { type: "tool_call", index: 0, id: "c0", name: "look", arguments: '{"at":' },
        { type: "tool_call", index: 1, id: "c1", name: "look", arguments: '{"at":2}' },
        { type: "tool_call", index: 0, arguments: "1}" },
      ]),
    );
    const tools = [
      { type: "function" as const, name: "look", parameters: { type: "object" }, strict: false },
    ];
    const stream = client(harness).responses.stream({ model: "acme/agent", input: "look", tools });
    const types = new Set<string>();
    stream.on("event", ({ type }) => types.add(type));
    const response = await stream.finalResponse();
    expect(response.output).toMatchObject([
      { type: "reasoning", content: [{ type: "reasoning_text", text: "Two places." }] },
      { type: "message", content: [{ text: "Looking." }] },
      { type: "function_call", call_id: "c0", name: "look", arguments: '{"at":1}' },
      { type: "function_call", call_id: "c1", name: "look", arguments: '{"at":2}' },
    ]);
    expect([...types]).toEqual(
      expect.arrayContaining([
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
      ]),
    );
    // What is kept is what was streamed.
    const kept = await client(harness).responses.retrieve(response.id);
    expect(kept.output).toEqual(
      response.output.map((item) =>
        expect.objectContaining({ id: item.id, type: item.type, status: "completed" }),
      ),
    );
  });

  it("ends with response.failed when the model breaks off, with what had come", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      await new Promise((resolve) => setTimeout(resolve, 50));
      prediction.cut();
    });
    const events = await collect(
      await client(harness).responses.create({ model: "acme/chat", input: "count", stream: true }),
    );
    const last = events.at(-1);
    expect(last).toMatchObject({
      type: "response.failed",
      response: {
        status: "failed",
        error: { code: "server_error", message: expect.stringContaining("broke") },
        output: [{ status: "incomplete", content: [{ text: "one " }] }],
      },
    });
    expect(typesOf(events)).not.toContain("response.completed");
  });

  it("is an HTTP error when nothing had been said yet", async () => {
    harness.coglet.play((prediction) => prediction.answer(500, { detail: "boom" }));
    await expect(
      client(harness).responses.create({ model: "acme/chat", input: "count", stream: true }),
    ).rejects.toMatchObject({ status: 502 });
  });
});

describe("a conversation", () => {
  it("goes on from a response, over several turns", async () => {
    harness.coglet.play(say(["Hi Ann."]), say(["You are Ann."]), speak);
    const first = await create(harness, { input: "I am Ann.", instructions: "Be kind." });
    const second = await create(harness, { input: "Who am I?", previous_response_id: first.id });
    await create(harness, { input: "Sure?", previous_response_id: second.id });
    // Instructions are of one turn.
    expect(harness.coglet.predictions[2]?.input["messages"]).toEqual([
      { role: "user", content: "I am Ann." },
      { role: "assistant", content: "Hi Ann." },
      { role: "user", content: "Who am I?" },
      { role: "assistant", content: "You are Ann." },
      { role: "user", content: "Sure?" },
    ]);
  });

  it("answers a tool call of the turn before, and finds an item by its name", async () => {
    harness.coglet.play(
      say([{ type: "tool_call", index: 0, id: "c0", name: "look", arguments: "{}" }]),
      speak,
      speak,
    );
    const tools = [{ type: "function", name: "look", parameters: null, strict: false }];
    const first = await create(harness, { input: "look", tools });
    const output = { type: "function_call_output", call_id: "c0", output: "a cat" };
    await create(harness, { input: [output], previous_response_id: first.id, tools });
    const itemId = String(first.output[0]?.id);
    await create(harness, { input: [{ type: "item_reference", id: itemId }, output], tools });
    for (const [at, messages] of [
      [1, 3],
      [2, 2],
    ] as const) {
      const said = harness.coglet.predictions[at]?.input["messages"] as readonly object[];
      expect(said).toHaveLength(messages);
      expect(said.slice(-2)).toMatchObject([
        { role: "assistant", tool_calls: [{ id: "c0" }] },
        { role: "tool", tool_call_id: "c0", content: "a cat" },
      ]);
    }
  });

  it("cannot go on from one that was deleted, not stored, or is another key's", async () => {
    harness.coglet.play(speak);
    const deleted = await create(harness, {});
    expect(await client(harness).responses.delete(deleted.id)).toMatchObject({ deleted: true });
    const unstored = await create(harness, { store: false });
    expect(unstored.output_text).toBe("one two");
    for (const { id } of [deleted, unstored]) {
      await expect(create(harness, { previous_response_id: id })).rejects.toMatchObject({
        status: 404,
        param: "previous_response_id",
      });
      await expect(client(harness).responses.retrieve(id)).rejects.toBeInstanceOf(
        OpenAI.NotFoundError,
      );
    }
  });

  it("lists its items in pages, both ways", async () => {
    harness.coglet.play(say(["Hi."]));
    const first = await create(harness, { input: "a" });
    const second = await create(harness, { input: "b", previous_response_id: first.id });
    const texts = async (order: "asc" | "desc"): Promise<readonly unknown[]> => {
      const found: unknown[] = [];
      // The client asks for page after page by itself.
      for await (const item of client(harness).responses.inputItems.list(second.id, {
        order,
        limit: 1,
      })) {
        found.push("content" in item && (item.content as { text: string }[])[0]?.text);
      }
      return found;
    };
    expect(await texts("asc")).toEqual(["a", "Hi.", "b"]);
    expect(await texts("desc")).toEqual(["b", "Hi.", "a"]);
    const list = (query: object): Promise<unknown> =>
      client(harness).responses.inputItems.list(second.id, query) as unknown as Promise<unknown>;
    await expect(list({ limit: 101 })).rejects.toMatchObject({ param: "limit" });
    await expect(list({ after: "msg_x" })).rejects.toMatchObject({ param: "after" });
  });
});

describe("an unknown response", () => {
  it("is a 404 in every way to ask for it", async () => {
    const { responses } = client(harness);
    await expect(responses.retrieve("resp_x")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(responses.cancel("resp_x")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(responses.delete("resp_x")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(responses.inputItems.list("resp_x")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    const answer = await harness.call("/v1/responses/resp_x/nothing");
    expect([answer.status, await answer.json()]).toMatchObject([
      404,
      { error: { type: expect.any(String) } },
    ]);
  });
});
