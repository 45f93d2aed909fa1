// Spans are how a call is found in the trace of the application that made it. A collector refuses what is not OTLP, and one
// that is down must cost spans, never calls.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { readOtlpSettings } from "../../../../cli/otlp.ts";
import { OtlpExporter, type OtlpOptions } from "../../../../gateway/telemetry/otlp/exporter.ts";
import { spanQueueMax } from "../../../../gateway/telemetry/limits.ts";
import { startReceiver, type Receiver } from "./otlp-receiver.ts";
import { beganAtMs, leg, record } from "./records.ts";

let receiver: Receiver;
const open = (options: OtlpOptions = {}): OtlpExporter =>
  new OtlpExporter({
    tracesUrl: `${receiver.url}/v1/traces`,
    metricsUrl: `${receiver.url}/v1/metrics`,
    retryDelayMs: 1,
    clock: () => beganAtMs,
    addressOf: (provider) =>
      provider === "openai" ? { host: "api.openai.example", port: 443 } : undefined,
    ...options,
  });

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  expect(receiver.problems).toEqual([]);
  await receiver.close();
});

const traceId = "ab".repeat(16);

describe("a call", () => {
  it("is a span under its caller's, with a span for each leg, in GenAI's words and Cloudflare's", async () => {
    const exporter = open({
      headers: { "x-tenant": "t1" },
      resource: { "deployment.environment": "test" },
    });
    const origin = {
      requestId: "req_1",
      surface: "openai",
      path: "/v1/chat/completions",
      traceId,
      parentSpanId: "cd".repeat(8),
    };
    exporter.record(
      record({
        origin,
        requestedModel: "dynamic/x",
        isStreamed: true,
        metadata: { team: "a", paid: true },
        legs: [
          leg(
            { provider: "openai", upstreamModel: "gpt-5" },
            { state: "failed", code: "upstream_failed", error: "502", status: 502 },
          ),
          leg({ id: "c1.1", index: 1, beganAtMs: beganAtMs + 5 }),
        ],
      }),
      traceId,
    );
    await exporter.close();
    const [call, first, second] = receiver.spans;
    expect(receiver.spans).toHaveLength(3);
    expect(call).toMatchObject({
      traceId,
      parentSpanId: "cd".repeat(8),
      name: "chat dynamic/x",
      kind: 2,
      startTimeUnixNano: "1795435200000000000",
      endTimeUnixNano: "1795435200025123450",
      status: {},
    });
    expect(call?.values).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "byom",
      "gen_ai.model.provider": "byom",
      "gen_ai.request.model": "dynamic/x",
      "gen_ai.response.model": "acme/chat",
      "gen_ai.usage.input_tokens": 8,
      "gen_ai.usage.output_tokens": 6,
      "gen_ai.usage.cost": 0.000_001_5,
      "byom.metadata.team": "a",
      "byom.metadata.paid": true,
    });
    expect(first).toMatchObject({
      traceId,
      parentSpanId: call?.spanId,
      name: "chat gpt-5",
      kind: 3,
      status: { code: 2, message: "502" },
    });
    expect(first?.values).toMatchObject({
      "error.type": "upstream_failed",
      "server.address": "api.openai.example",
      "server.port": 443,
      "http.response.status_code": 502,
    });
    expect(second?.values).not.toHaveProperty("error.type");
    expect(second?.values).not.toHaveProperty("server.address");
    expect(receiver.resources[0]).toEqual({
      "service.name": "byom",
      "deployment.environment": "test",
    });
    expect(receiver.requests[0]?.headers["x-tenant"]).toBe("t1");
    expect(receiver.metricNames).toEqual([
      "gen_ai.client.token.usage",
      "gen_ai.client.operation.duration",
      "gen_ai.client.operation.time_to_first_chunk",
    ]);
  });
});

describe("a collector", () => {
  it("that is busy is asked again until it takes them", async () => {
    receiver.answers.push({ status: 503 }, { status: 429, headers: { "retry-after": "0" } });
    const exporter = open();
    exporter.record(record(), traceId);
    await exporter.flush();
    expect(receiver.spans).toHaveLength(2);
    expect(exporter.state).toEqual({
      queued: 0,
      sent: 2,
      drops: { queue: 0, refused: 0, unreachable: 0 },
    });
    await exporter.close();
  });

  it("that refuses them is not asked again", async () => {
    receiver.answers.push({ status: 400 });
    const exporter = open();
    exporter.record(record(), traceId);
    await exporter.flush();
    expect(receiver.requests).toHaveLength(1);
    expect(exporter.state.drops.refused).toBe(2);
    await exporter.close();
  });

  it("that is away costs spans, which are counted, and no more memory than its queue", async () => {
    const exporter = open({ tracesUrl: "http://127.0.0.1:1/v1/traces", flushIntervalMs: 60_000 });
    exporter.record(record(), traceId);
    await exporter.flush();
    expect(exporter.state.drops.unreachable).toBe(2);
    for (let index = 0; index < spanQueueMax + 700; index += 1) exporter.record(record(), traceId);
    expect(exporter.state.queued).toBeLessThanOrEqual(spanQueueMax);
    expect(exporter.state.drops.queue).toBeGreaterThan(0);
    await exporter.close();
  });
});

describe("OpenTelemetry's variables", () => {
  it.each([
    [{}, undefined, undefined],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318/", OTEL_SDK_DISABLED: "true" },
      undefined,
      undefined,
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318/" },
      "http://c:4318/v1/traces",
      "http://c:4318/v1/metrics",
    ],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c/own" }, "http://c/own", undefined],
  ])("%j", (environment, tracesUrl, metricsUrl) => {
    const settings = readOtlpSettings({ environment });
    expect([settings?.tracesUrl, settings?.metricsUrl]).toEqual([tracesUrl, metricsUrl]);
  });

  it("give headers and attributes, and say which one is wrong", () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://c",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x,b=2",
      OTEL_RESOURCE_ATTRIBUTES: "zone=eu",
      OTEL_SERVICE_NAME: "gw",
    };
    expect(readOtlpSettings({ environment, endpoint: "https://d" })).toEqual({
      tracesUrl: "https://d/v1/traces",
      metricsUrl: "https://d/v1/metrics",
      headers: { authorization: "Bearer x", b: "2" },
      resource: { zone: "eu" },
      serviceName: "gw",
    });
    expect(() => readOtlpSettings({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: "c:1" } })).toThrow(
      /OTEL_EXPORTER_OTLP_ENDPOINT/,
    );
  });
});
