// A day's ledger of a million legs with ten keys of metadata, one of them unique to each request: how long `byom spend`
// takes by each kind of key, from the command line to the table. The baseline is the same day as plain rows in SQLite,
// asked for the same sums with GROUP BY in a process that has it open: no command line, no HTTP.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

import { createGateway, openAdministration } from "../../gateway/index.ts";
import { openLedger, type Ledger } from "../../gateway/usage/ledger/ledger.ts";
import { measured, type Row } from "./report.ts";
import type { Benchmark } from "./run.ts";
import { benchLeg, metadataNames, type BenchLeg } from "./spend/legs.ts";

const legs = 1_000_000;
/** Between two pauses in which the ledger catches up, so that the journal stays as short as it is in use. */
const legsPerPause = 50_000;
const runs = 3;
const goalMs = 1_000;
const key = "byom_bench_admin";

/** What is asked, and how the baseline names it. */
const questions = [
  { by: "model", column: "model" },
  { by: "key", column: "key" },
  { by: "provider", column: "provider" },
  { by: "hour", column: "began_at / 3600000" },
  { by: "metadata.team", column: "team" },
  { by: "metadata.customer", column: "customer" },
  { by: "metadata.session", column: "session" },
  { by: "metadata.request", column: "request" },
  { by: "day,metadata.customer", column: "began_at / 86400000, customer" },
] as const;

const benchmark: Benchmark = async ({ signal, note }) => {
  const directory = mkdtempSync(join(tmpdir(), "byom-bench-spend-"));
  const rows = openRows(directory);
  try {
    note(`writing ${legs} legs`);
    const ledger = openLedger({ directory: join(directory, "ledger"), clock: Date.now });
    const perLegMs = await fill(ledger, rows, { signal, note });
    await ledger.close();
    await using platform = await startPlatform(directory);
    note(`writing a leg's begin and end took ${(perLegMs * 1_000).toFixed(1)} µs`);
    const report: Row[] = [];
    for (const question of questions) {
      signal.throwIfAborted();
      report.push(await compare(question, { rows, url: platform.url, signal }));
    }
    return report;
  } finally {
    rows.close();
    rmSync(directory, { recursive: true, force: true });
  }
};
export default benchmark;

function openRows(directory: string): DatabaseSync {
  const database = new DatabaseSync(join(directory, "rows.db"));
  const columns = metadataNames.map((name) => `${name} TEXT`).join(", ");
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
     CREATE TABLE legs (began_at INTEGER, model TEXT, provider TEXT, key TEXT, state TEXT, nano INTEGER,
       input INTEGER, output INTEGER, ${columns})`,
  );
  return database;
}

/** @returns milliseconds of one leg in the process of the calls */
async function fill(
  ledger: Ledger,
  rows: DatabaseSync,
  { signal, note }: { readonly signal: AbortSignal; readonly note: (text: string) => void },
): Promise<number> {
  const width = 8 + metadataNames.length;
  const insert = rows.prepare(`INSERT INTO legs VALUES (${Array(width).fill("?").join(", ")})`);
  let spentMs = 0;
  for (let from = 0; from < legs; from += legsPerPause) {
    signal.throwIfAborted();
    const made = Array.from({ length: legsPerPause }, (_, n) => benchLeg(from + n, legs));
    const startedAt = performance.now();
    for (const { begin, end, cost } of made) {
      ledger.begin(begin);
      ledger.end(begin, end, cost);
    }
    spentMs += performance.now() - startedAt;
    insertRows(rows, insert, made);
    await ledger.spend({ by: [], where: [], limit: 1 }, { signal });
    note(`${from + legsPerPause} legs`);
  }
  return spentMs / legs;
}

function insertRows(
  rows: DatabaseSync,
  insert: ReturnType<DatabaseSync["prepare"]>,
  made: readonly BenchLeg[],
): void {
  rows.exec("BEGIN");
  for (const { begin, end, cost } of made) {
    const { inputTokens = 0, outputTokens = 0 } = end.usage ?? {};
    insert.run(
      begin.beganAtMs,
      begin.model,
      begin.provider,
      begin.keyId ?? "",
      end.state,
      cost.nanoUsd,
      inputTokens,
      outputTokens,
      ...metadataNames.map((name) => String(begin.metadata[name])),
    );
  }
  rows.exec("COMMIT");
}

async function startPlatform(directory: string): Promise<{ url: string } & AsyncDisposable> {
  const administration = openAdministration({
    dataDirectory: directory,
    own: { get: () => undefined, list: () => [] },
    environment: {},
  });
  const gateway = createGateway({
    upstream: { acquire: () => Promise.reject(new Error("no deployments here")) },
    catalog: administration.catalog,
    providers: administration.providers,
    administration,
    keys: { verify: () => ({ id: "bench", name: "bench", scopes: ["admin"] }) },
    predictions: {
      insert: () => undefined,
      update: () => undefined,
      get: () => undefined,
      list: () => [],
      unfinished: () => [],
      owingWebhooks: () => [],
      settleWebhooks: () => undefined,
      prune: () => 0,
    },
    dataDirectory: directory,
  });
  const server = createServer((request, response) => {
    void gateway.handle(request, response).then((isHandled) => {
      if (!isHandled) response.writeHead(404).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await gateway.close({ signal: AbortSignal.abort() });
      server.closeAllConnections();
      server.close();
      administration.close();
    },
  };
}

const program = fileURLToPath(new URL("../../bin/byom.js", import.meta.url));

async function compare(
  { by, column }: (typeof questions)[number],
  options: { readonly rows: DatabaseSync; readonly url: string; readonly signal: AbortSignal },
): Promise<Row> {
  const { rows, url, signal } = options;
  const baselineMs: number[] = [];
  const commandMs: number[] = [];
  const answerMs: number[] = [];
  const select = rows.prepare(
    `SELECT ${column}, count(*), sum(nano) AS spent, sum(input), sum(output), sum(state = 'failed')
     FROM legs GROUP BY ${column} ORDER BY spent DESC LIMIT 100`,
  );
  for (let run = 0; run < runs; run += 1) {
    signal.throwIfAborted();
    let startedAt = performance.now();
    select.all();
    baselineMs.push(performance.now() - startedAt);
    startedAt = performance.now();
    await execa(process.execPath, [program, "spend", "--by", by], {
      env: { BYOM_URL: url, BYOM_API_KEY: key },
      cancelSignal: signal,
    });
    commandMs.push(performance.now() - startedAt);
    startedAt = performance.now();
    const answer = await fetch(`${url}/api/v1/spend?by=${by}`, {
      headers: { authorization: `Bearer ${key}` },
      signal,
    });
    await answer.arrayBuffer();
    answerMs.push(performance.now() - startedAt);
  }
  const baseline = measured("GROUP BY over rows in SQLite", baselineMs);
  const byom = measured(`byom spend --by ${by}`, commandMs);
  return {
    work: `a day of ${legs} legs by ${by}`,
    unit: "ms",
    baseline,
    byom,
    ratio: baseline.median / byom.median,
    goal: `≤ ${goalMs} ms`,
    met: byom.median <= goalMs,
    phases: { "the platform's answer": `${Math.round(measured("", answerMs).median)} ms` },
  };
}
