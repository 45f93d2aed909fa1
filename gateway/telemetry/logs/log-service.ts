import { GatewayError, type GatewayErrorCode } from "../../errors.ts";
import { errorCharactersMax } from "../limits.ts";
import type { LogEntry } from "./entry.ts";
import { LogStore, type WrittenEntry } from "./log-store.ts";
import type { LogOperations, WorkerOptions, WriteReport } from "./protocol.ts";
import { createRedactor, type Redactor } from "./redact.ts";
import { defaultLogSettings } from "./settings.ts";

/** An entry as it comes from the call: nothing is blacked out yet. */
export interface QueuedEntry {
  readonly entry: Omit<LogEntry, "statusCode" | "hasPayload">;
  readonly input?: string;
  readonly output?: string;
}

/** What the log's thread does: black out, write, search, forget. */
export function serveLog({ path, isReader }: WorkerOptions): LogOperations {
  const store = new LogStore(path, { isReader });
  let timeouts = 0;
  const makeRedactor = (
    options: Pick<Parameters<typeof createRedactor>[0], "redaction" | "secrets">,
  ): Redactor =>
    createRedactor({
      ...options,
      onTimeout: () => {
        timeouts += 1;
      },
    });
  let redactor = makeRedactor({ redaction: defaultLogSettings.redaction, secrets: [] });
  let { retention } = defaultLogSettings;
  return {
    write({ entries, wantsEntries }): WriteReport {
      timeouts = 0;
      const queued = JSON.parse(entries) as readonly QueuedEntry[];
      const written = queued.map((one) => blackOut(one, redactor));
      const failed = insertAll(store, written);
      return {
        entries: wantsEntries ? written.map(({ entry }) => JSON.stringify(entry)) : [],
        timeouts,
        failed,
      };
    },
    configure(options) {
      redactor = makeRedactor(options);
      ({ retention } = options);
    },
    search: (search) => store.search(search),
    count: (conditions) => store.count(conditions),
    get: (id) => store.get(id),
    payload: (id) => store.payload(id),
    remark: ({ id, remark }) => store.remark(id, remark),
    delete: (conditions) => store.deleteBatch(conditions),
    prune: (nowMs) => ({
      deleted: store.prune(retention, nowMs),
      usedBytes: store.usedBytes(),
      entries: store.entries,
    }),
    close: () => store.close(),
  };
}

/** One entry that cannot be written does not take the others with it. */
function insertAll(store: LogStore, written: readonly WrittenEntry[]): number {
  try {
    store.insert(written);
    return 0;
  } catch (error) {
    if (written.length === 1) return 1;
    // A full disk refuses all of them; a bad one only itself.
    if ((error as { errcode?: number }).errcode === sqliteFull) return written.length;
    return written.reduce((failed, one) => failed + insertAll(store, [one]), 0);
  }
}

const sqliteFull = 13;

function blackOut({ entry, input, output }: QueuedEntry, redactor: Redactor): WrittenEntry {
  const clean = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : redactor.text(text).slice(0, errorCharactersMax);
  const error = clean(entry.error);
  const whole: LogEntry = {
    ...entry,
    statusCode: statusOf(entry),
    ...(error !== undefined && { error }),
    metadata: cleanMetadata(entry.metadata, redactor),
    legs: entry.legs.map((leg) => {
      const legError = clean(leg.error);
      return legError === undefined ? leg : { ...leg, error: legError };
    }),
    hasPayload: input !== undefined,
  };
  if (input === undefined) return { entry: whole };
  return { entry: whole, ...redactor.payload({ input, output: output ?? "null" }) };
}

function cleanMetadata(
  metadata: LogEntry["metadata"],
  redactor: Redactor,
): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      redactor.secretsOf(key),
      typeof value === "string" ? redactor.secretsOf(value) : value,
    ]),
  );
}

function statusOf({ status, code }: Pick<LogEntry, "status" | "code">): number {
  if (status === "succeeded") return 200;
  const known = code ?? (failureCodes[status] as GatewayErrorCode);
  return new GatewayError(known, "").status;
}

/** Where an end came without a code. */
const failureCodes = {
  failed: "prediction_failed",
  canceled: "canceled",
  aborted: "canceled",
} as const;
