import { GatewayError } from "../../errors.ts";
import { checkMetadata, type AigMetadata } from "../../http/aig-headers.ts";
import { readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import { reportedUsage } from "../../usage/usage.ts";
import { providerName } from "../workers-ai/envelope.ts";
import { renderError, success } from "../workers-ai/errors.ts";

/** What a caller said afterwards about a call. */
interface Remark {
  readonly feedback?: number | null;
  readonly score?: number | null;
  readonly metadata?: AigMetadata;
}

/** Remarks that are kept; the oldest are forgotten. */
const remarksMax = 10_000;

/** `…/logs/{id}` of the binding: GET reads what is known of a call, PATCH adds feedback to it. */
export interface CallLogs {
  handle(call: Call, logId: string): Promise<void>;
}

/**
 * Log entries out of the predictions themselves, whose ids `cf-aig-log-id` names: those of accepted predictions for as
 * long as their records, others for as long as their events can be read again. Remarks are in memory.
 */
export function createCallLogs(services: Services): CallLogs {
  const remarks = new Map<string, Remark>();
  return {
    async handle(call, logId) {
      allowMethods(call, "GET", "PATCH");
      const record = findRecord(services, logId);
      if (record === undefined || !mayRead(call, record)) {
        throw new GatewayError("not_found", "Log Not Found");
      }
      const remark = remarks.get(logId) ?? {};
      if (call.method === "PATCH") {
        const added = readRemark(await readJsonObject(call.request));
        const [oldest] = remarks.keys();
        if (remarks.size >= remarksMax && oldest !== undefined) remarks.delete(oldest);
        const metadata = { ...remark.metadata, ...added.metadata };
        remarks.set(logId, { ...remark, ...added, metadata });
        sendJson(call.response, { body: success({}) });
        return;
      }
      sendJson(call.response, { body: success(logEntry(services, record, remark)) });
    },
  };
}

function findRecord(services: Services, id: string): PredictionRecord | undefined {
  const run = services.runner.find(id);
  if (run === undefined) return services.predictions.get(id);
  const { metadata } = run.request;
  return { ...run.record(), ...(metadata !== undefined && { metadata }) };
}

function mayRead(call: Call, { keyId }: PredictionRecord): boolean {
  return keyId === call.key?.id || call.key?.scopes.includes("admin") === true;
}

function readRemark(body: Readonly<Record<string, unknown>>): Remark {
  const { feedback, score, metadata } = body;
  if (feedback !== undefined && feedback !== null && feedback !== 1 && feedback !== -1) {
    throw new GatewayError("invalid_request", "feedback must be 1 or -1.", {
      parameter: "feedback",
    });
  }
  if (score !== undefined && score !== null && typeof score !== "number") {
    throw new GatewayError("invalid_request", "score must be a number.", { parameter: "score" });
  }
  return {
    ...(feedback !== undefined && { feedback }),
    ...(score !== undefined && { score }),
    ...(metadata !== undefined &&
      metadata !== null && { metadata: checkMetadata(metadata, "metadata") }),
  };
}

function logEntry(
  services: Services,
  record: PredictionRecord,
  remark: Remark,
): Record<string, unknown> {
  const entry = services.catalog.get(record.model);
  const usage = reportedUsage(record.metrics);
  const ended = record.completedAt ?? new Date(services.clock()).toISOString();
  const request = JSON.stringify(record.input);
  const response = JSON.stringify(record.output ?? null);
  return {
    id: record.id,
    provider: entry === undefined ? "byom" : providerName(entry),
    model: record.model,
    model_type: entry?.task ?? "",
    path: `run/${record.model}`,
    duration: Math.max(0, Date.parse(ended) - Date.parse(record.createdAt)),
    status_code: statusCode(record),
    success: record.status === "succeeded",
    cached: false,
    ...(usage !== undefined && { tokens_in: usage.inputTokens, tokens_out: usage.outputTokens }),
    metadata: { ...record.metadata, ...remark.metadata },
    ...(remark.feedback !== undefined && { feedback: remark.feedback }),
    ...(remark.score !== undefined && { score: remark.score }),
    step: 0,
    request_size: Buffer.byteLength(request),
    request_content_type: "application/json",
    request_head_complete: false,
    response_size: Buffer.byteLength(response),
    response_head_complete: false,
    created_at: record.createdAt,
  };
}

/** The status that the caller was told, near enough: the failure itself is not kept, only its words. */
function statusCode({ status }: PredictionRecord): number {
  if (status === "failed") return renderError(new GatewayError("prediction_failed", "")).status;
  return status === "canceled" || status === "aborted" ? 408 : 200;
}
