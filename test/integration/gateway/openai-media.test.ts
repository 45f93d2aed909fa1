import OpenAI, { toFile } from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startHarness, until, type Harness } from "../../unit/gateway/harness.ts";
import { client, dataUri, failing, give, inputs, models, png, png2 } from "./media-support.ts";

// Own models behind OpenAI's calls for vectors and images, with OpenAI's own client unmodified. If one of these fails, an
// app that changes nothing but its base URL gets something else than it gets from OpenAI.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

describe("embeddings", () => {
  it("sends a list in one prediction and gives OpenAI's floats and usage", async () => {
    harness.coglet.play(
      give(
        [
          [1, 0.5],
          [-0.25, 2],
        ],
        { input_tokens: 6 },
      ),
    );
    const answer = await client(harness).embeddings.create({
      model: "acme/vectors",
      input: ["a cat", "a dog"],
      dimensions: 2,
    });
    // The client asks for base64 by itself and decodes it.
    expect(answer.data).toEqual([
      { object: "embedding", index: 0, embedding: [1, 0.5] },
      { object: "embedding", index: 1, embedding: [-0.25, 2] },
    ]);
    expect(answer).toMatchObject({ object: "list", model: "acme/vectors" });
    expect(answer.usage).toEqual({ prompt_tokens: 6, total_tokens: 6 });
    expect(inputs(harness)).toEqual([{ texts: ["a cat", "a dog"], dimensions: 2 }]);
  });

  it("gives plain numbers when asked for float, and says that a count is guessed", async () => {
    harness.coglet.play(give({ embedding: [0.1, 0.2] }));
    const answer = await client(harness).embeddings.create({
      model: "acme/one-vector",
      input: "twelve bytes",
      encoding_format: "float",
    });
    expect(answer.data[0]?.embedding).toEqual([0.1, 0.2]);
    expect(answer.usage).toEqual({ prompt_tokens: 3, total_tokens: 3, estimated: true });
  });

  it("asks a model that takes one text once per text, and keeps the order", async () => {
    harness.coglet.play(async (prediction) => {
      const said = String(prediction.input["text"]);
      // The first one answers last.
      if (said === "t0") await until("the others", () => harness.coglet.predictions.length > 3);
      prediction.complete({ output: [Number(said.slice(1)), 1] });
    });
    const input = Array.from({ length: 6 }, (_, index) => `t${index}`);
    const answer = await client(harness).embeddings.create({ model: "acme/one-vector", input });
    expect(answer.data.map(({ embedding }) => embedding[0])).toEqual([0, 1, 2, 3, 4, 5]);
    expect(harness.coglet.predictions).toHaveLength(6);
  });

  it("fails as a whole when one text fails", async () => {
    harness.coglet.play(give([1]), failing);
    await expect(
      client(harness).embeddings.create({ model: "acme/one-vector", input: ["a", "b", "c"] }),
    ).rejects.toMatchObject({ status: 500, message: expect.stringContaining("out of paint") });
  });

  it("refuses tokens, empty input, a dimension that the model lacks and a chat model, before anything is woken", async () => {
    const create = (fields: object): Promise<unknown> =>
      client(harness).embeddings.create({ model: "acme/vectors", input: "x", ...fields });
    await expect(create({ input: [1, 2, 3] })).rejects.toMatchObject({
      status: 400,
      param: "input",
    });
    await expect(create({ input: [[1, 2]] })).rejects.toMatchObject({
      status: 400,
      param: "input",
    });
    await expect(create({ input: [] })).rejects.toMatchObject({ status: 400, param: "input" });
    await expect(create({ input: ["a", ""] })).rejects.toMatchObject({ param: "input" });
    await expect(create({ input: Array(2049).fill("x") })).rejects.toMatchObject({
      param: "input",
    });
    await expect(create({ model: "acme/one-vector", dimensions: 8 })).rejects.toMatchObject({
      code: "unsupported_parameter",
      param: "dimensions",
    });
    await expect(create({ model: "acme/chat" })).rejects.toMatchObject({
      status: 400,
      param: "model",
    });
    await expect(create({ model: "acme/none" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    expect(harness.upstream.acquired).toEqual([]);
  });

  it("does not pass off too few vectors as all of them", async () => {
    harness.coglet.play(give([[1, 2]]));
    await expect(
      client(harness).embeddings.create({ model: "acme/vectors", input: ["a", "b"] }),
    ).rejects.toMatchObject({
      status: 502,
      message: expect.stringContaining("1 embeddings for 2"),
    });
  });
});

describe("images", () => {
  it("makes an image of the size that was asked for", async () => {
    harness.coglet.play(give(dataUri("image/png", png)));
    const answer = await client(harness).images.generate({
      model: "acme/painter",
      prompt: "a lighthouse",
      size: "1024x768",
      quality: "standard",
    });
    expect(answer.data).toEqual([{ b64_json: png.toString("base64") }]);
    expect(answer).toMatchObject({ created: 1795435200, size: "1024x768" });
    expect(inputs(harness)).toEqual([{ prompt: "a lighthouse", width: 1024, height: 768 }]);
  });

  it("makes several with a model that makes one, each from a seed of its own", async () => {
    harness.coglet.play((prediction) => {
      prediction.complete({
        output: dataUri("image/png", prediction.input["seed"] === 5 ? png : png2),
      });
    });
    const answer = await client(harness).images.generate({
      model: "acme/painter",
      prompt: "x",
      n: 2,
      ...({ seed: 5 } as object),
    });
    expect(answer.data?.map((image) => image.b64_json)).toEqual([
      png.toString("base64"),
      png2.toString("base64"),
    ]);
  });

  it("gives a URL that works without a key", async () => {
    harness.coglet.play(give(dataUri("image/png", png)));
    const answer = await client(harness).images.generate({
      model: "acme/painter",
      prompt: "x",
      response_format: "url",
    });
    const file = await fetch(answer.data?.[0]?.url ?? "");
    expect(file.headers.get("content-type")).toBe("image/png");
    expect(Buffer.from(await file.arrayBuffer())).toEqual(png);
  });

  it("edits images from a form: files in, files out", async () => {
    harness.coglet.play(give([dataUri("image/png", png), dataUri("image/png", png2)]));
    const answer = await client(harness).images.edit({
      model: "acme/editor",
      prompt: "add a boat",
      image: [
        await toFile(png, "one.png", { type: "image/png" }),
        await toFile(png2, "two.png", { type: "image/png" }),
      ],
      mask: await toFile(png, "mask.png", { type: "image/png" }),
      n: 2,
      output_format: "jpeg",
      response_format: "b64_json",
    });
    expect(answer.data).toHaveLength(2);
    expect(inputs(harness)).toEqual([
      {
        prompt: "add a boat",
        image: [dataUri("image/png", png), dataUri("image/png", png2)],
        mask: dataUri("image/png", png),
        num_outputs: 2,
        output_format: "jpg",
      },
    ]);
  });

  it("edits an image that is named in JSON, an uploaded file too", async () => {
    const upload = await harness.call("/v1/files", {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: `--b\r\ncontent-disposition: form-data; name="content"; filename="a.png"\r\ncontent-type: image/png\r\n\r\nPIXELS\r\n--b--\r\n`,
    });
    const { id } = (await upload.json()) as { id: string };
    harness.coglet.play(give([dataUri("image/png", png)]));
    const answer = await harness.call("/v1/images/edits", {
      body: {
        model: "acme/editor",
        prompt: "x",
        images: [{ file_id: id }, { image_url: "data:image/png;base64,AAAA" }],
      },
    });
    expect(answer.status).toBe(200);
    expect(inputs(harness)[0]?.["image"]).toEqual([
      dataUri("image/png", Buffer.from("PIXELS")),
      "data:image/png;base64,AAAA",
    ]);
  });

  it("streams the images that a model yields on its way, and the last one as the answer", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      for (const image of [png2, png2, png]) await prediction.output(dataUri("image/png", image));
      prediction.complete();
    });
    const stream = await client(harness).images.generate({
      model: "acme/slow-painter",
      prompt: "x",
      stream: true,
      partial_images: 2,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    expect(events.map(({ type, b64_json }) => [type, b64_json])).toEqual([
      ["image_generation.partial_image", png2.toString("base64")],
      ["image_generation.partial_image", png2.toString("base64")],
      ["image_generation.completed", png.toString("base64")],
    ]);
    expect(events[1]).toMatchObject({ partial_image_index: 1 });
  });

  it("streams the one image of a model that yields nothing on its way", async () => {
    harness.coglet.play(give(dataUri("image/png", png)));
    const stream = await client(harness).images.generate({
      model: "acme/painter",
      prompt: "x",
      stream: true,
    });
    const types: string[] = [];
    for await (const event of stream) types.push(event.type);
    expect(types).toEqual(["image_generation.completed"]);
  });

  it("throws a failure, streamed or not", async () => {
    harness.coglet.play(failing);
    const create = (fields: object): Promise<unknown> =>
      client(harness).images.generate({ model: "acme/painter", prompt: "x", ...fields });
    await expect(create({})).rejects.toMatchObject({ status: 500 });
    await expect(create({ stream: true })).rejects.toMatchObject({ status: 500 });
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output(dataUri("image/png", png));
      await prediction.output(dataUri("image/png", png));
      prediction.complete({ status: "failed", error: "out of paint" });
    });
    const stream = await client(harness).images.generate({
      model: "acme/slow-painter",
      prompt: "x",
      stream: true,
      partial_images: 3,
    });
    const read = async (): Promise<void> => {
      for await (const event of stream) expect(event.type).toBe("image_generation.partial_image");
    };
    await expect(read()).rejects.toThrow(/out of paint/);
  });

  it("does not fetch an image from where only the gateway can reach", async () => {
    harness.coglet.play(give("http://127.0.0.1:9/secret.png"));
    await expect(
      client(harness).images.generate({
        model: "acme/painter",
        prompt: "x",
        response_format: "b64_json",
      }),
    ).rejects.toMatchObject({ status: 502, message: expect.stringContaining("not public") });
  });

  it("refuses what the model cannot do, before anything is woken", async () => {
    const create = (fields: object): Promise<unknown> =>
      client(harness).images.generate({ model: "acme/painter", prompt: "x", ...fields });
    await expect(create({ prompt: "" })).rejects.toMatchObject({ param: "prompt" });
    await expect(create({ n: 11 })).rejects.toMatchObject({ param: "n" });
    await expect(create({ size: "huge" })).rejects.toMatchObject({ param: "size" });
    await expect(create({ quality: "high" })).rejects.toMatchObject({ param: "quality" });
    await expect(create({ output_format: "webp" })).rejects.toMatchObject({
      param: "output_format",
    });
    await expect(create({ stream: true, n: 2 })).rejects.toMatchObject({ param: "n" });
    await expect(create({ model: "acme/chat" })).rejects.toMatchObject({ param: "model" });
    await expect(create({ depth_map: "x" })).rejects.toMatchObject({ param: "depth_map" });
    expect(harness.upstream.acquired).toEqual([]);
  });
});

describe("models", () => {
  it("lists and shows models, those with several slashes too", async () => {
    const ids: string[] = [];
    for await (const entry of client(harness).models.list()) ids.push(entry.id);
    expect(ids).toEqual(models.map(({ id }) => id));
    expect(await client(harness).models.retrieve("acme/painter")).toMatchObject({
      id: "acme/painter",
      object: "model",
      created: 1793491200,
      owned_by: "acme",
    });
    await expect(client(harness).models.retrieve("acme/none")).rejects.toBeInstanceOf(
      OpenAI.NotFoundError,
    );
  });
});
