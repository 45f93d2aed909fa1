import { GatewayError } from "../../errors.ts";
import { isObject } from "../../http/body.ts";
import { scanFields, valueEnd } from "../../http/scan-json.ts";
import type { WireFormat } from "./adapter.ts";
import { brokenAnswer, translateProviderFailure } from "./failure.ts";

// What goes through as bytes is not parsed; these looks tell a broken answer from a whole one nevertheless.

/** The field of a whole answer that holds its result. */
const resultNames: Readonly<Record<WireFormat, string>> = {
  "chat-completions": "choices",
  completions: "choices",
  responses: "output",
  messages: "content",
  embeddings: "data",
};
const failureName = "error";
const usageName = "usage";
const wanted: ReadonlyMap<WireFormat, ReadonlySet<string>> = new Map(
  (Object.keys(resultNames) as WireFormat[]).map((format) => [
    format,
    new Set([resultNames[format], failureName, usageName]),
  ]),
);

export interface WireAnswer {
  readonly format: WireFormat;
  /** The provider as the operator named it, and the key that it was sent. */
  readonly provider: string;
  readonly key: string | undefined;
  readonly body: Buffer;
}

/**
 * Looks at the whole body of a 2xx answer; gives the usage that it reports.
 * @throws `GatewayError`: `upstream_failed` for one that is no JSON, breaks off or has no result; what
 *   `translateProviderFailure` makes of an error in it
 */
export function checkWholeAnswer(
  answer: WireAnswer,
): Readonly<Record<string, unknown>> | undefined {
  const { format, provider, body } = answer;
  if (body.length === 0) throw brokenAnswer(provider, "nothing");
  const fields = scanFields(body, wanted.get(format) ?? new Set());
  if (fields === undefined) throw brokenAnswer(provider, "something that is not JSON");
  const failure = fields.get(failureName);
  if (failure !== undefined && body.toString("latin1", failure.start, failure.end) !== "null") {
    throw failureIn(answer);
  }
  if (!fields.has(resultNames[format])) throw brokenAnswer(provider, `no ${resultNames[format]}`);
  const usage = fields.get(usageName);
  if (usage === undefined || body[usage.start] !== openBrace) return undefined;
  return objectIn(body.subarray(usage.start, usage.end));
}

function objectIn(text: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text.toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What an answer says that was asked as a stream and is none. */
export function notStreamed(answer: WireAnswer, contentType: string): GatewayError {
  const { provider, body } = answer;
  const fields = scanFields(body, new Set([failureName]));
  if (fields?.has(failureName) === true) return failureIn(answer);
  const what = body.length === 0 ? "nothing" : contentType || "no content type";
  return brokenAnswer(provider, `${what} and not with a stream`);
}

/** An error that came with a 2xx status. */
function failureIn({ provider, key, body }: WireAnswer): GatewayError {
  const parsed = objectIn(body);
  if (parsed === undefined) return brokenAnswer(provider, "something that is not JSON");
  const failure = translateProviderFailure({ provider, key, status: 500, body: parsed });
  const { message } = failure;
  return new GatewayError(failure.code, message.replace(" answered 500", " failed"), {
    upstreamStatus: 200,
  });
}

const dataField = Buffer.from("data:");
const dataLine = Buffer.from("\ndata:");
const [newline, carriageReturn, space, openBrace] = [0x0a, 0x0d, 0x20, 0x7b];

/** Where the data of a server-sent event begins; -1 when it has none. */
export function dataStart(frame: Buffer): number {
  let at = frame.subarray(0, dataField.length).equals(dataField) ? dataField.length : -1;
  if (at === -1) {
    const lineAt = frame.indexOf(dataLine);
    if (lineAt === -1) return -1;
    at = lineAt + dataLine.length;
  }
  while (frame[at] === space) at += 1;
  return at;
}

/** The data of a server-sent event as one text, whatever lines it came in. */
export function dataText(frame: Buffer): string {
  return frame
    .toString("utf8")
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(dataField.length).trimStart()] : []))
    .join("\n");
}

/** Whether an event's data is one JSON object to its end; where it stands in one line, by its brackets and quotes alone. */
export function isWholeEvent(frame: Buffer): boolean {
  const start = dataStart(frame);
  // Such as an `id:` or `retry:` alone.
  if (start === -1) return true;
  if (frame[start] !== openBrace) return false;
  let at = valueEnd(frame, start);
  if (at !== -1) {
    while (frame[at] === space || frame[at] === carriageReturn) at += 1;
    const isLineEnd = at === frame.length || frame[at] === newline;
    if (isLineEnd && frame.indexOf(dataLine, at) === -1) return true;
  }
  return isObjectText(dataText(frame));
}

function isObjectText(text: string): boolean {
  try {
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
}
