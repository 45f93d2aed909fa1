// An app that has a client already changes its base URL and one string. Every line of this table is such an app: a
// client as its maker publishes it, against real own models and a third party's. If a line fails, its users cannot move.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectEngine } from "../../builder/index.ts";
import { createByom, type Byom } from "../support/byom.ts";
import type { ProviderDouble } from "../support/provider-double.ts";
import {
  startWorkersAiDouble,
  workersAiKey,
} from "../unit/gateway/upstream/provider/doubles/workers-ai.ts";
import { own, third, thirdAlias, type Access, type ClientCall } from "./clients/client-call.ts";
import { openAiCalls } from "./clients/openai.ts";
import { otherCalls } from "./clients/others.ts";
import { workerCalls } from "./clients/worker.ts";
import { preparePythonClients, pythonCalls } from "./clients/python.ts";

const receipt = fileURLToPath(new URL("../fixtures/receipt.png", import.meta.url));
const receiptUri = `data:image/png;base64,${readFileSync(receipt).toString("base64")}`;

let byom: Byom;
let workspace: string;
let access: Access;
let double: ProviderDouble;
const table: string[][] = [];

beforeAll(async () => {
  double = await startWorkersAiDouble();
  byom = await createByom({ THEIR_KEY: workersAiKey });
  workspace = await mkdtemp(join(tmpdir(), "byom-models-"));
  await byom.json("up", "--detach", "--port", "0");
  access = await byom.access();
  const provider = ["workers-ai", "--url", double.baseUrl, "--key-env", "THEIR_KEY"];
  await byom.json("providers", "add", ...provider, "--allow-private");
  await byom.json("models", "alias", thirdAlias, third);
  for (const [template, model] of Object.entries(own)) {
    const directory = join(workspace, template);
    await byom.json("init", directory, "--template", template);
    await byom.json("-C", directory, "push", model);
  }
  const engine = await connectEngine({ environment: process.env });
  await preparePythonClients(engine.docker);
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await rm(workspace, { recursive: true, force: true });
  process.stdout.write(`${renderTable(table)}\n`);
  // Throws when a request did not fit the provider's published protocol.
  await double[Symbol.asyncDispose]();
});

describe.each([
  ["openai", openAiCalls],
  ["other npm clients", otherCalls(receiptUri)],
  ["a Worker", workerCalls(receiptUri)],
  ["Python clients", pythonCalls],
])("%s", (_, calls) => {
  it.each(calls.map((call) => [`${call.client}: ${call.call}, ${call.model}`, call] as const))(
    "%s",
    async (_name, { client, call, model, expected, run }: ClientCall) => {
      const said = await run(access);
      table.push([client, call, model, said.replaceAll(/\s+/g, " ").slice(0, 48)]);
      expect(said).toMatch(expected);
    },
  );
});

function renderTable(rows: readonly (readonly string[])[]): string {
  const all = [["client", "call", "model", "answer"], ...rows];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
