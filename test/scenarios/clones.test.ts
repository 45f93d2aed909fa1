// Instances restored from one snapshot. If one of these fails, two callers get the same "random" values: the same
// session tokens, the same seeds, the same sampled text.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createByom, type Byom } from "../support/byom.ts";
import { removeImage } from "../support/images.ts";

const modelId = "clones/random";

/** What the fixture answers; see its run.py. */
interface Values {
  readonly label: string;
  readonly random: number;
  readonly numpy: number;
  readonly uuid: string;
  readonly hooks: number;
  readonly pid: number;
}

interface Called {
  readonly output: Values;
  readonly start: { readonly mode: string; readonly reason?: string };
}

let byom: Byom;
/** Every answer of a clone, over all tests: none of its values may come twice. */
const answers: Values[] = [];

beforeAll(async () => {
  byom = await createByom();
  await byom.json("up", "--detach", "--port", "0");
  const directory = fileURLToPath(new URL("../fixtures/random", import.meta.url));
  const { snapshot } = await byom.json<{ snapshot: { id?: string } }>(
    "-C",
    directory,
    "push",
    modelId,
  );
  expect(snapshot).toMatchObject({ id: expect.any(String) });
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await removeImage("cog-random");
});

describe("clones of one snapshot", () => {
  it("differ in every random value when they are started one after another", async () => {
    for (const label of ["first", "second", "third"]) {
      await byom.json("scale", modelId, "--to", "zero");
      const { output, start } = await byom.json<Called>("call", modelId, "-i", `label=${label}`);
      expect(start).toMatchObject({ mode: "restored" });
      expect(output.label).toBe(label);
      answers.push(output);
    }
    expectAllDistinct(answers);
  });

  it("differ when three are restored at once", async () => {
    await byom.json("scale", modelId, "--max", "3", "--to", "zero");
    const { url, apiKey } = await byom.access();
    const call = async (
      label: string,
    ): Promise<{ instance: string | null; mode: string | null; output: Values }> => {
      const response = await fetch(`${url}/models/${modelId}/predictions`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify({ input: { label, seconds: 3 } }),
      });
      const { output } = (await response.json()) as { output: Values };
      const { headers } = response;
      return {
        instance: headers.get("x-byom-instance"),
        mode: headers.get("x-byom-start"),
        output,
      };
    };
    const called = await Promise.all(["left", "middle", "right"].map(call));
    expect(new Set(called.map(({ instance }) => instance)).size).toBe(3);
    expect(called.map(({ mode }) => mode)).toEqual(["restored", "restored", "restored"]);
    answers.push(...called.map(({ output }) => output));
    expectAllDistinct(answers);
  });

  it("have each run their after_restore hook, once", () => {
    expect(answers).toHaveLength(6);
    expect(answers.map(({ hooks }) => hooks)).toEqual(answers.map(() => 1));
  });
});

function expectAllDistinct(values: readonly Values[]): void {
  for (const name of ["random", "numpy", "uuid"] as const) {
    const drawn = values.map((value) => value[name]);
    expect(new Set(drawn).size, `${name}: ${drawn.join(", ")}`).toBe(drawn.length);
  }
}
