// What an operator reads when a customer asks "what happened at twelve?": the list, the one call with its legs, the live
// tail; and what is deleted is what was named.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import type { Command } from "../../../../cli/command.ts";
import {
  logs,
  logsDelete,
  logsExport,
  logsFeedback,
  logsShow,
} from "../../../../cli/commands/logs.ts";
import type { Context } from "../../../../cli/context.ts";
import { parseCommandLine } from "../../../../cli/parse.ts";
import { captureOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const call = {
  id: "c1",
  createdAt: "2026-11-23T12:00:00.000Z",
  surface: "openai",
  path: "/v1/chat/completions",
  requestId: "req_1",
  requestedModel: "dynamic/cheap",
  model: "acme/chat",
  provider: "byom",
  status: "succeeded",
  statusCode: 200,
  durationMs: 1_234,
  firstOutputMs: 210,
  tokensIn: 4,
  tokensOut: 3,
  costUsd: "0.0000015",
  isCached: false,
  isStreamed: true,
  start: { mode: "cold", reason: "at zero", totalMs: 900, phases: [{ name: "create", ms: 30 }] },
  metadata: { team: "search", n: 7 },
  hasPayload: true,
  legs: [
    {
      index: 0,
      afterMs: 0,
      durationMs: 80,
      provider: "openai",
      upstreamModel: "gpt-5",
      state: "failed",
      status: 503,
      code: "upstream_failed",
      error: "busy",
      nanoUsd: 0,
    },
    {
      index: 1,
      afterMs: 90,
      durationMs: 1_100,
      firstOutputMs: 120,
      provider: "byom",
      upstreamModel: "acme/chat",
      state: "succeeded",
      tokensIn: 4,
      tokensOut: 3,
      nanoUsd: 1_500,
      start: { mode: "cold", totalMs: 900, phases: [] },
    },
  ],
};

let asked: string[] = [];
let answers: Record<string, string> = {};
let url = "";
let close: () => void = () => undefined;

beforeEach(async () => {
  asked = [];
  answers = {
    "GET /api/v1/logs": JSON.stringify({ logs: [call] }),
    "GET /api/v1/logs/c1": JSON.stringify(call),
    "GET /api/v1/logs/c1/payload": JSON.stringify({ input: { prompt: "hi" }, output: "you" }),
    "GET /api/v1/logs/export": `${JSON.stringify(call)}\n${JSON.stringify({ ...call, id: "c2" })}\n`,
    "GET /api/v1/logs/tail": `: follows\n\nevent: log\ndata: ${JSON.stringify(call)}\n\nevent: missed\ndata: {"entries":3}\n\n`,
    "DELETE /api/v1/logs": '{"deleted":2}',
    "PATCH /api/v1/logs/c1": JSON.stringify(call),
    "GET /api/v1/instances/i-1/logs": '{"logs":"printed"}',
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const [path = ""] = (request.url ?? "").split("?", 1);
      const body = Buffer.concat(chunks).toString("utf8");
      asked.push(`${request.method} ${decodeURIComponent(request.url ?? "")}${body && ` ${body}`}`);
      const answer = answers[`${request.method} ${path}`];
      response.writeHead(answer === undefined ? 404 : 200).end(answer ?? "{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterEach(() => close());

async function run(
  command: Command,
  argv: readonly string[],
  options: { readonly isJson?: boolean } = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const folder = createTemporaryFolder();
  const captured = captureOutput(options);
  const context: Context = {
    environment: { BYOM_URL: url, BYOM_API_KEY: "byom_secret" },
    directory: folder,
    homeDirectory: folder,
    isRoot: false,
    directories: { data: folder, config: join(folder, "config"), run: join(folder, "run") },
    output: captured.output,
    isVerbose: false,
    signal: new AbortController().signal,
  };
  await command.run({ ...parseCommandLine("logs", command, argv), context });
  return { stdout: captured.stdout(), stderr: captured.stderr() };
}

const row =
  "2026-11-23 12:00:00  c1  ok  1.23 s  4→3  $0.0000015  2 legs  dynamic/cheap → acme/chat\n";

it("lists calls, with every filter as the API names it", async () => {
  const flags = "--since 2h --model acme/* --failed -m team=search -m n=7 --min-cost 0.1 -n 5";
  const { stdout } = await run(logs, flags.split(" "));
  expect(stdout).toBe(row);
  expect(asked).toEqual([
    "GET /api/v1/logs?from=2h&model=acme/*&min_cost=0.1&metadata=team=search&metadata=n=7&status=failed,canceled,aborted&limit=5",
  ]);
});

it("still shows what an instance printed when one is named", async () => {
  expect((await run(logs, ["i-1", "-n", "9"])).stdout).toBe("── i-1\nprinted\n");
  expect(asked).toEqual(["GET /api/v1/instances/i-1/logs?lines=9"]);
});

it("follows, and says when calls passed by", async () => {
  const { stdout, stderr } = await run(logs, ["--follow", "--key", "key-1"]);
  expect(stdout).toBe(row);
  expect(stderr).toContain("3 calls passed by");
  expect(asked).toEqual(["GET /api/v1/logs/tail?key=key-1"]);
});

it("shows one call with its legs as a table", async () => {
  const { stdout } = await run(logsShow, ["c1"]);
  expect(stdout).toBe(
    [
      "id        c1",
      "began     2026-11-23T12:00:00.000Z",
      "request   req_1  openai  /v1/chat/completions",
      "model     dynamic/cheap → acme/chat",
      "ended     succeeded (200), streamed",
      "took      1.23 s, first output after 210 ms",
      "tokens    4→3",
      "cost      $0.0000015",
      "start     cold in 900 ms (create 30 ms), because at zero",
      "metadata  team=search n=7",
      "",
      "leg  after  provider  model      state         first   took    tokens  cost        why",
      "0    0 ms   openai    gpt-5      failed (503)  -       80 ms   -       $0          upstream_failed: busy",
      "1    90 ms  byom      acme/chat  succeeded     120 ms  1.10 s  4→3     $0.0000015  cold",
      "",
      'input\n{\n  "prompt": "hi"\n}',
      "",
      'output\n"you"\n',
    ].join("\n"),
  );
  expect(JSON.parse((await run(logsShow, ["c1"], { isJson: true })).stdout)).toMatchObject({
    id: "c1",
    output: "you",
  });
});

it("exports line by line, and as one document with --json", async () => {
  const { stdout } = await run(logsExport, ["--payloads", "--text", "two words"]);
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as typeof call).id),
  ).toEqual(["c1", "c2"]);
  expect(asked).toEqual(["GET /api/v1/logs/export?text=two+words&payloads=true"]);
  const { stdout: whole } = await run(logsExport, [], { isJson: true });
  expect((JSON.parse(whole) as { logs: unknown[] }).logs).toHaveLength(2);
});

it("deletes what is named, and nothing when nothing is", async () => {
  await expect(run(logsDelete, [])).rejects.toMatchObject({ code: "usage" });
  expect(asked).toEqual([]);
  expect((await run(logsDelete, ["-m", "customer=42"])).stdout).toBe("deleted 2 of the log\n");
  await run(logsDelete, ["c1"]);
  expect(asked).toEqual(["DELETE /api/v1/logs?metadata=customer=42", "DELETE /api/v1/logs?id=c1"]);
});

it("notes feedback", async () => {
  await run(logsFeedback, ["c1", "--bad", "--score", "0.25", "-m", "by=anna"]);
  expect(asked).toEqual([
    'PATCH /api/v1/logs/c1 {"feedback":-1,"score":0.25,"metadata":{"by":"anna"}}',
  ]);
  await expect(run(logsFeedback, ["c1", "--score", "much"])).rejects.toMatchObject({
    code: "usage",
  });
});
