// The doubles are only worth something if they speak as the providers do: the providers' own SDKs, unmodified, must be
// understood by them and understand them.
import Anthropic from "@anthropic-ai/sdk";
import Cloudflare from "cloudflare";
import OpenAI, { toFile } from "openai";
import Replicate from "replicate";
import { describe, expect, it } from "vitest";

import { anthropicKey, startAnthropicDouble } from "./anthropic.ts";
import { openAiKey, startOpenAiDouble } from "./openai.ts";
import { replicateKey, startReplicateDouble } from "./replicate.ts";
import { startWorkersAiDouble, workersAiKey } from "./workers-ai.ts";

describe("the SDK of", () => {
  it("OpenAI understands OpenAI's double", async () => {
    await using double = await startOpenAiDouble();
    const client = new OpenAI({ apiKey: openAiKey, baseURL: double.baseUrl, maxRetries: 0 });
    const messages = [{ role: "user" as const, content: "Hi" }];
    const chat = await client.chat.completions.create({ model: "gpt-5", messages });
    expect(chat.choices[0]?.message.content).toBe("Hello");
    const stream = client.chat.completions.stream({
      model: "gpt-5",
      messages,
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe("Hello");
    expect(final.usage?.total_tokens).toBe(13);
    const embedded = await client.embeddings.create({
      model: "m",
      input: ["a", "bc"],
      encoding_format: "float",
    });
    expect(embedded.data.map(({ index }) => index)).toEqual([1, 0]);
    const images = await client.images.generate({ model: "gpt-image-1", prompt: "a cat" });
    expect(images.data?.[0]?.b64_json).toBe("AAEC");
    const speech = await client.audio.speech.create({ model: "tts-1", input: "a", voice: "alloy" });
    expect(await speech.text()).toBe("ID3sound");
    const heard = await client.audio.transcriptions.create({
      model: "whisper-1",
      file: await toFile(Buffer.from("RIFF"), "a.wav", { type: "audio/wav" }),
    });
    expect(heard.text).toBe("hello world");
    const video = await client.videos.create({ model: "sora-2", prompt: "waves", seconds: "4" });
    expect((await client.videos.retrieve(video.id)).status).toBe("in_progress");
  });

  it("Anthropic understands Anthropic's double", async () => {
    await using double = await startAnthropicDouble();
    const client = new Anthropic({
      apiKey: anthropicKey,
      baseURL: double.origin,
      maxRetries: 0,
      // The double wants the older of the two headers, which the API takes as well.
      defaultHeaders: { "x-api-key": anthropicKey },
    });
    const stream = client.messages.stream({
      model: "claude-sonnet-5-5",
      max_tokens: 10,
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    });
    const message = await stream.finalMessage();
    expect(message.content.at(-1)).toMatchObject({ type: "text", text: "Hello" });
    expect(message.usage).toMatchObject({ output_tokens: 12, cache_read_input_tokens: 4 });
    expect(double.requests[0]?.headers["anthropic-version"]).toBe("2026-10-21");
  });

  it("Replicate understands Replicate's double", async () => {
    await using double = await startReplicateDouble();
    const client = new Replicate({ auth: replicateKey, baseUrl: `${double.baseUrl}/v1` });
    const input = { prompt: "a cat", num_outputs: 1 };
    const output = await client.run("black-forest-labs/flux-schnell", {
      input,
      wait: { mode: "block", timeout: 30 },
    });
    expect(String((output as readonly unknown[])[0])).toContain("replicate.delivery");
    const prediction = await client.predictions.create({
      model: "meta/meta-llama-3-8b-instruct",
      input: { prompt: "Hi" },
    });
    const canceled = await client.predictions.cancel(prediction.id);
    expect(canceled.status).toBe("canceled");
    const pieces: string[] = [];
    const stream = client.stream("meta/meta-llama-3-8b-instruct", { input: { prompt: "Hi" } });
    for await (const { event, data } of stream) if (event === "output") pieces.push(data);
    expect(pieces).toEqual(["Hel", "lo\nyou"]);
  });

  it("Cloudflare understands Workers AI's double", async () => {
    await using double = await startWorkersAiDouble();
    const client = new Cloudflare({
      apiToken: workersAiKey,
      baseURL: `${double.origin}/client/v4`,
      maxRetries: 0,
    });
    const result = await client.ai.run("@cf/baai/bge-m3", {
      account_id: "acc1",
      text: ["a", "bc"],
    });
    expect(result).toMatchObject({ shape: [2, 1], data: [[1], [2]] });
  });
});
