// Published clients must live through the word that another upstream took over, with and without looking at it.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { callKey } from "../harness.ts";
import { breaksAfter, chat, mixed, says, startStage, type Stage } from "./two-providers.ts";

const messages = [{ role: "user", content: "Count." }] as const;

let stage: Stage;

beforeEach(async () => {
  stage = await startStage({ onStreamCut: "restart" });
  stage.replies["first"] = breaksAfter("One, tw");
  stage.replies["second"] = says("One, two.");
  stage.harness.coglet.play((prediction) => {
    prediction.start();
    void prediction.output("One, tw");
    setTimeout(() => prediction.cut(), 50);
  });
});

afterEach(async () => {
  await stage.close();
});

describe("a stream that was taken over", () => {
  it("is read by OpenAI's client, which finds the word in a chunk without choices", async () => {
    const client = new OpenAI({ baseURL: `${stage.harness.url}/v1`, apiKey: callKey });
    let text = "";
    for await (const chunk of await client.chat.completions.create({
      model: chat.id,
      messages: [...messages],
      stream: true,
    })) {
      if ("byom" in chunk) text = "";
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe("One, two.");
  });

  it("does not trip the one of OpenAI's helpers that collects a whole answer", async () => {
    const client = new OpenAI({ baseURL: `${stage.harness.url}/v1`, apiKey: callKey });
    const stream = client.chat.completions.stream({ model: mixed.id, messages: [...messages] });
    const whole = await stream.finalChatCompletion();
    expect(whole.choices[0]?.message.content).toContain("One, two.");
  });

  it("is collected by Anthropic's client with the new text in a block of its own", async () => {
    const client = new Anthropic({ baseURL: stage.harness.url, apiKey: callKey });
    const message = await client.messages
      .stream({ model: mixed.id, messages: [...messages], max_tokens: 50 })
      .finalMessage();
    expect(message.content).toMatchObject([{ text: "One, tw" }, { text: "One, two." }]);
    expect(message.stop_reason).toBe("end_turn");
  });

  it("is collected by OpenAI's client for responses, without what is void", async () => {
    const client = new OpenAI({ baseURL: `${stage.harness.url}/v1`, apiKey: callKey });
    const response = await client.responses
      .stream({ model: mixed.id, input: "Count." })
      .finalResponse();
    expect(response.output_text).toBe("One, two.");
  });
});
