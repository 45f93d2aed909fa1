// What `run` and `call` show: text on stdout as it comes, files on disk, one document with `--json`.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { LocalPrediction } from "../../../../builder/index.ts";
import { createPredictionReporter } from "../../../../cli/report/prediction.ts";
import { captureOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const png = "data:image/png;base64,AP8K";
const pngBytes = Buffer.from([0, 255, 10]);

function succeeded(output: unknown): LocalPrediction {
  return { status: "succeeded", output, logs: "", metrics: { predict_time: 1 } };
}

function createReport(options: { file?: string; isJson?: boolean } = {}) {
  const captured = captureOutput({ isJson: options.isJson ?? false });
  const directory = createTemporaryFolder();
  const reporter = createPredictionReporter({
    output: captured.output,
    directory,
    file: options.file,
    signal: new AbortController().signal,
  });
  return { ...captured, directory, reporter };
}

it("prints text as it is and other values as JSON", async () => {
  const text = createReport();
  await text.reporter.finish(succeeded("hello"));
  expect(text.stdout()).toBe("hello\n");
  const value = createReport();
  await value.reporter.finish(succeeded({ words: ["a"] }));
  expect(JSON.parse(value.stdout())).toEqual({ words: ["a"] });
});

it("prints streamed text once, as it comes, and the model's own prints on stderr", async () => {
  const { reporter, stdout, stderr } = createReport();
  reporter.onEvent({ type: "log", text: "loading\n" });
  reporter.onEvent({ type: "output", chunk: "hel" });
  expect(stdout()).toBe("hel");
  reporter.onEvent({ type: "output", chunk: "lo" });
  await reporter.finish(succeeded(["hel", "lo"]));
  expect(stdout()).toBe("hello\n");
  expect(stderr()).toBe("loading\n");
});

it("prints one document with --json although the text was streamed", async () => {
  const { reporter, stdout } = createReport({ isJson: true });
  reporter.onEvent({ type: "output", chunk: "hello" });
  await reporter.finish(succeeded(["hello"]), { model: "me/chat" });
  expect(JSON.parse(stdout())).toEqual({
    status: "succeeded",
    output: ["hello"],
    metrics: { predict_time: 1 },
    model: "me/chat",
  });
});

it("writes a file beside, with the extension of its type, and no bytes to the terminal", async () => {
  const { reporter, directory, stdout, stderr } = createReport();
  await reporter.finish(succeeded(png));
  expect(readFileSync(join(directory, "output.png"))).toEqual(pngBytes);
  expect(stdout()).toBe("");
  expect(stderr()).toContain(join(directory, "output.png"));
});

it("numbers the files of a list, and decodes what is not base64", async () => {
  const { reporter, directory } = createReport();
  await reporter.finish(
    succeeded([png, "data:text/plain,a%20b", "data:application/x-odd;base64,eA=="]),
  );
  expect(readdirSync(directory).toSorted()).toEqual([
    "output.0.png",
    "output.1.txt",
    "output.2.bin",
  ]);
  expect(readFileSync(join(directory, "output.1.txt"), "utf8")).toBe("a b");
});

it.each([
  [png, pngBytes],
  ["hello", Buffer.from("hello")],
])("writes the output to -o FILE and nothing to stdout", async (value, bytes) => {
  const { reporter, directory, stdout } = createReport({ file: "answer" });
  reporter.onEvent({ type: "output", chunk: value });
  await reporter.finish(succeeded(value));
  expect(readFileSync(join(directory, "answer"))).toEqual(bytes);
  expect(stdout()).toBe("");
});

it.each([null, undefined])("says that there is no output for %s", async (value) => {
  const { reporter, stdout, stderr } = createReport();
  await reporter.finish(succeeded(value));
  expect(stdout()).toBe("");
  expect(stderr()).toContain("No output");
});

it("fails with the model's error and its logs, and writes nothing", async () => {
  const { reporter, directory, stdout } = createReport({ file: "answer" });
  const failed: LocalPrediction = {
    status: "failed",
    output: "half",
    error: "no such word",
    logs: "trace",
    metrics: {},
  };
  await expect(reporter.finish(failed)).rejects.toMatchObject({
    code: "prediction_failed",
    message: expect.stringContaining("no such word"),
    details: { logs: "trace" },
  });
  expect(stdout()).toBe("");
  expect(existsSync(join(directory, "answer"))).toBe(false);
});
