// The last lines of a model that failed. If these fail, its author reads coglet's JSON instead of what the model said.
import { expect, it } from "vitest";
import { readModelLog } from "../../../../runtime/instance/log-lines.ts";

function record(fields: Record<string, string>, level = "INFO", target = "coglet::setup"): string {
  return JSON.stringify({ timestamp: "2026-01-01T00:00:00Z", level, fields, target });
}

it("shows what the model printed and what went wrong, without coglet's own progress", () => {
  const log = [
    record({ message: "Running setup" }, "INFO", "coglet::worker_bridge"),
    record({ message: "looking for weights", source: "Stdout" }),
    record({ message: "a warning", source: "Stderr" }),
    record({ message: "Setup failed" }, "ERROR", "coglet::worker"),
    record({ message: "Worker initialization failed", error: "worker crashed" }, "ERROR", "coglet"),
    record(
      { message: "Prediction failed", error: "ValueError: bad" },
      "INFO",
      "coglet::prediction",
    ),
  ].join("\n");
  expect(readModelLog(`${log}\n`)).toEqual([
    "looking for weights",
    "a warning",
    "Setup failed",
    "Worker initialization failed: worker crashed",
    "Prediction failed: ValueError: bad",
  ]);
});

it("keeps lines of any other origin as they are, JSON of the model's own included", () => {
  const lines = [
    "Traceback (most recent call last):",
    '  File "run.py", line 1',
    '{"level":"INFO","fields":{"message":"mine"},"target":"my_model"}',
    '{"level":"INFO"}',
    "{broken",
    "[1, 2]",
  ];
  expect(readModelLog(lines.join("\n"))).toEqual(lines);
});
