/**
 * Names of attributes and metrics: OpenTelemetry's semantic conventions for generative AI (status: development, 1.38) and,
 * where they differ, those that Cloudflare's AI Gateway sends beside them.
 */
export const names = {
  operationName: "gen_ai.operation.name",
  providerName: "gen_ai.provider.name",
  requestModel: "gen_ai.request.model",
  responseModel: "gen_ai.response.model",
  responseId: "gen_ai.response.id",
  inputTokens: "gen_ai.usage.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  tokenType: "gen_ai.token.type",
  errorType: "error.type",
  serverAddress: "server.address",
  serverPort: "server.port",
  httpStatus: "http.response.status_code",
  urlPath: "url.path",
  cloudflareProvider: "gen_ai.model.provider",
  cloudflareCost: "gen_ai.usage.cost",
  surface: "byom.surface",
  status: "byom.status",
  requestId: "byom.request.id",
  eventId: "byom.event.id",
  keyId: "byom.key.id",
  route: "byom.route",
  isCached: "byom.cached",
  isStreamed: "byom.streamed",
  costNanoUsd: "byom.cost.nano_usd",
  firstOutputMs: "byom.first_output_ms",
  legIndex: "byom.leg.index",
  legState: "byom.leg.state",
  startMode: "byom.start.mode",
  startMs: "byom.start.ms",
  /** With the caller's key after it. */
  metadata: "byom.metadata.",
  tokenUsage: "gen_ai.client.token.usage",
  operationDuration: "gen_ai.client.operation.duration",
  firstChunk: "gen_ai.client.operation.time_to_first_chunk",
} as const;

/** `gen_ai.operation.name` of a task. */
const operations: Readonly<Record<string, string>> = {
  "text-generation": "chat",
  "text-embeddings": "embeddings",
};

/** A task without a name of its own in the conventions generates content. */
export function operationOf(task: string): string {
  return operations[task] ?? "generate_content";
}
