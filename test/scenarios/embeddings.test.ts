// A search over sentences with an own model: from `byom init` to vectors in OpenAI's client. If this fails, the
// template does not give what it promises, or the vectors that come out of the gateway are not the model's.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createByom, type Byom } from "../support/byom.ts";

let byom: Byom;
let workspace: string;
let client: OpenAI;

beforeAll(async () => {
  byom = await createByom();
  workspace = await mkdtemp(join(tmpdir(), "byom-models-"));
  await byom.json("up", "--detach", "--port", "0");
  const { url, apiKey } = await byom.access();
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey });
  const directory = join(workspace, "embeddings");
  await byom.json("init", directory, "--template", "embeddings");
  await byom.json("-C", directory, "push", "test/embeddings");
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await rm(workspace, { recursive: true, force: true });
});

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

async function embed(input: string | string[]): Promise<readonly (readonly number[])[]> {
  const { data } = await client.embeddings.create({ model: "test/embeddings", input });
  return data.map(({ embedding }) => embedding);
}

it("puts a paraphrase nearer than an unrelated sentence, as the model's authors do", async () => {
  const [person = [], dog = [], veryHappy = [], weather = []] = await embed([
    "That is a happy person",
    "That is a happy dog",
    "That is a very happy person",
    "Today is a sunny day",
  ]);
  expect(person).toHaveLength(384);
  expect(dot(person, person)).toBeCloseTo(1, 4);
  // The similarities that sentence-transformers gives for these sentences.
  expect(dot(person, veryHappy)).toBeCloseTo(0.943, 2);
  expect(dot(person, dog)).toBeCloseTo(0.695, 2);
  expect(dot(person, weather)).toBeCloseTo(0.257, 2);
});

it("gives a text the same vector alone, among others of any length, and after a wake", async () => {
  const [alone = []] = await embed("A kitten is napping on the couch.");
  const many = Array.from({ length: 12 }, (_, index) => "word ".repeat(3 * index + 1));
  const [among = []] = await embed(["A kitten is napping on the couch.", ...many]);
  expect(dot(alone, among)).toBeCloseTo(1, 4);
  await byom.json("scale", "test/embeddings", "--to", "zero");
  const [woken = []] = await embed("A kitten is napping on the couch.");
  expect(dot(alone, woken)).toBeCloseTo(1, 4);
});

it("counts the tokens itself", async () => {
  const { usage } = await client.embeddings.create({ model: "test/embeddings", input: "hello" });
  // [CLS] hello [SEP]
  expect(usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
});
