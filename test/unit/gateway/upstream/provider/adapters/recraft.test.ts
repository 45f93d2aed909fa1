import { describe, expect, test } from "vitest";

import { recraft } from "../../../../../../gateway/upstream/provider/adapters/recraft.ts";
import { fail } from "../../../../../support/provider-double.ts";
import { runAdapter } from "../../../../../support/run-adapter.ts";
import { failureOf } from "../doubles/expect-failure.ts";
import { startRecraftDouble } from "../doubles/recraft.ts";

const call = {
  adapter: recraft,
  model: "recraftv4_1",
  task: "text-to-image",
  input: { prompt: "A fox" },
} as const;
const png = "data:image/png;base64,aGk=";

describe("Recraft", () => {
  test.each([
    [{ size: "1344x768" }, "1344x768"],
    [{ aspect_ratio: "16:9" }, "16:9"],
  ])("images with %o, their URLs, count and cost", async (shape, size) => {
    await using double = await startRecraftDouble();
    const input = { ...call.input, ...shape, n: 2, seed: 5 };
    const { output, metrics } = await runAdapter({ ...call, input, baseUrl: double.baseUrl });
    expect(double.requests[0]?.body).toEqual({
      model: "recraftv4_1",
      prompt: "A fox",
      n: 2,
      random_seed: 5,
      response_format: "url",
      size,
    });
    expect(output).toEqual(["https://img.recraft.ai/0", "https://img.recraft.ai/1"]);
    expect(metrics).toEqual({ images: 2, credits: 80 });
  });

  test("an image is changed as far as the strength says, or where a mask says", async () => {
    await using double = await startRecraftDouble();
    const task = "image-to-image";
    const input = { prompt: "in winter", image: [png] };
    await runAdapter({
      ...call,
      task,
      input: { ...input, strength: 0.2 },
      baseUrl: double.baseUrl,
    });
    await runAdapter({
      ...call,
      task,
      model: "recraftv3",
      input: { ...input, mask: "https://a.b/mask.png", style: "Photorealism" },
      baseUrl: double.baseUrl,
    });
    expect(double.requests.map(({ path, body }) => [path, body])).toEqual([
      [
        "/v1/images/imageToImage",
        {
          model: "recraftv4_1",
          prompt: "in winter",
          response_format: "url",
          image_url: png,
          strength: 0.2,
        },
      ],
      [
        "/v1/images/inpaint",
        {
          model: "recraftv3",
          prompt: "in winter",
          style: "Photorealism",
          response_format: "url",
          image_url: png,
          mask_url: "https://a.b/mask.png",
        },
      ],
    ]);
  });

  test.each([
    ["style", "text-to-image", { prompt: "x", style: "Photorealism" }],
    ["negative_prompt", "text-to-image", { prompt: "x", negative_prompt: "dogs" }],
    ["steps", "text-to-image", { prompt: "x", steps: 20 }],
    ["size", "image-to-image", { prompt: "x", image: [png], size: "1024x1024" }],
  ] as const)("%s is refused for V4, %s", async (parameter, task, input) => {
    await using double = await startRecraftDouble();
    const failure = await failureOf(runAdapter({ ...call, task, input, baseUrl: double.baseUrl }));
    expect(failure).toMatchObject({ code: "unsupported_parameter", parameter });
    expect(double.requests).toEqual([]);
  });

  test("two images are one too many", async () => {
    await using double = await startRecraftDouble();
    const input = { prompt: "x", image: [png, png] };
    const failure = await failureOf(
      runAdapter({ ...call, task: "image-to-image", input, baseUrl: double.baseUrl }),
    );
    expect(failure).toMatchObject({ code: "invalid_input", parameter: "image" });
  });

  test("a refusal keeps Recraft's words, a rate limit its time", async () => {
    await using double = await startRecraftDouble();
    const paint = (): Promise<unknown> => runAdapter({ ...call, baseUrl: double.baseUrl });
    double.next(
      fail(400, { code: "invalid_prompt", message: "The prompt violates our policy" }),
      fail(429, { code: "rate_limit", message: "Slow down" }, { "retry-after": "11" }),
    );
    const refused = await failureOf(paint());
    expect(refused.code).toBe("invalid_input");
    expect(refused.message).toMatch(/violates our policy/);
    expect(await failureOf(paint())).toMatchObject({ code: "rate_limited", retryAfterMs: 11_000 });
  });
});
