// What `-i` and byom.yaml's example send to a model; a wrong input is refused here, before a build or a start.
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createSchema } from "../../../builder/index.ts";
import { readExampleInput, readInputFlags } from "../../../cli/prediction-input.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

const source = `
from cog import Input, Path
def run(count: int, image: Path | None = None, tags: list[str] = [], images: list[Path] = []) -> str: ...
`;

const { document } = await createSchema({
  directory: "/unused",
  predictor: "run.py:run",
  readFile: async (path) => (path === "run.py" ? source : undefined),
});
const { signal } = new AbortController();

async function read(pairs: readonly string[], directory = "/"): Promise<Record<string, unknown>> {
  return await readInputFlags({ pairs, directory, document, signal });
}

it("types the values by the model's schema", async () => {
  expect(await read(["count=2", "tags=a"])).toEqual({ count: 2, tags: ["a"] });
});

it("makes a list of a repeated name", async () => {
  expect(await read(["count=1", "tags=b", "tags=a"])).toEqual({ count: 1, tags: ["b", "a"] });
});

it("sends the bytes of @file with their media type, relative to the folder", async () => {
  const directory = createTemporaryFolder();
  writeFileSync(join(directory, "page.PNG"), Buffer.from([0, 255, 10]));
  writeFileSync(join(directory, "weights.odd"), "x");
  expect(
    await read(
      ["count=1", "image=@page.PNG", "images=@weights.odd", "images=@page.PNG"],
      directory,
    ),
  ).toEqual({
    count: 1,
    image: "data:image/png;base64,AP8K",
    images: ["data:application/octet-stream;base64,eA==", "data:image/png;base64,AP8K"],
  });
});

it("refuses a file that is not there, and a folder, by its path", async () => {
  const directory = createTemporaryFolder();
  await expect(read(["image=@no.png"], directory)).rejects.toMatchObject({
    code: "usage",
    message: `there is no file ${join(directory, "no.png")}`,
  });
  await expect(read([`image=@${directory}`])).rejects.toMatchObject({ code: "usage" });
});

it("refuses a file that no request can hold, and says how to send it", async () => {
  const directory = createTemporaryFolder();
  const path = join(directory, "film.mp4");
  writeFileSync(path, "");
  truncateSync(path, 64 * 1024 * 1024 + 1);
  await expect(read(["count=1", "image=@film.mp4"], directory)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("64.0 MiB"),
    hint: expect.stringContaining("URL"),
  });
});

it("names every input that is unknown, missing or of the wrong type", async () => {
  await expect(read(["cuont=1"])).rejects.toMatchObject({
    code: "input_invalid",
    message: expect.stringMatching(/"cuont".*; .*"count"/),
    details: { problems: [expect.anything(), expect.anything()] },
  });
  await expect(read(["count=many"])).rejects.toMatchObject({
    code: "input_invalid",
    message: expect.stringContaining("count"),
  });
});

it("sends texts as they are to a model without a schema", async () => {
  const input = await readInputFlags({
    pairs: ["count=2"],
    directory: "/",
    document: undefined,
    signal,
  });
  expect(input).toEqual({ count: "2" });
});

it("keeps every value of a repeated name for a model without a schema", async () => {
  const input = await readInputFlags({
    pairs: ["tag=b", "tag=a"],
    directory: "/",
    document: undefined,
    signal,
  });
  expect(input).toEqual({ tag: ["b", "a"] });
});

it("reads the files of an example and leaves its other values alone", async () => {
  const directory = createTemporaryFolder();
  writeFileSync(join(directory, "note.txt"), "hi");
  const input = { text: "@note.txt", count: 2, nested: { at: "@note.txt" } };
  expect(await readExampleInput({ input, directory, signal })).toEqual({
    text: "data:text/plain;base64,aGk=",
    count: 2,
    nested: { at: "@note.txt" },
  });
});
