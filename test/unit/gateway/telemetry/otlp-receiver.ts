import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { z } from "zod";

/** OTLP's JSON, strictly: a member that the protocol does not have, or has otherwise, is refused. */
const hex = (bytes: number): z.ZodString =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const nano = z.string().regex(/^\d{19}$/);
const keyValue = z.strictObject({
  key: z.string().min(1),
  value: z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ boolValue: z.boolean() }),
    z.strictObject({ intValue: z.string().regex(/^-?\d+$/) }),
    z.strictObject({ doubleValue: z.number() }),
  ]),
});
const attributes = z.array(keyValue).refine((list) => {
  return new Set(list.map(({ key }) => key)).size === list.length;
}, "an attribute twice");
const resource = z.strictObject({ attributes });
const scope = z.strictObject({ name: z.string() });
const span = z.strictObject({
  traceId: hex(16),
  spanId: hex(8),
  parentSpanId: hex(8).optional(),
  name: z.string().min(1),
  kind: z.union([z.literal(2), z.literal(3)]),
  startTimeUnixNano: nano,
  endTimeUnixNano: nano,
  attributes,
  status: z.strictObject({ code: z.literal(2).optional(), message: z.string().optional() }),
});
const traces = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource,
      scopeSpans: z.array(z.strictObject({ scope, spans: z.array(span) })),
    }),
  ),
});
const point = z
  .strictObject({
    attributes,
    startTimeUnixNano: nano,
    timeUnixNano: nano,
    count: z.string().regex(/^\d+$/),
    sum: z.number(),
    bucketCounts: z.array(z.string().regex(/^\d+$/)),
    explicitBounds: z.array(z.number()),
  })
  .refine(({ bucketCounts, explicitBounds, count }) => {
    const total = bucketCounts.reduce((sum, one) => sum + Number(one), 0);
    return bucketCounts.length === explicitBounds.length + 1 && total === Number(count);
  }, "buckets do not add up");
const metrics = z.strictObject({
  resourceMetrics: z.array(
    z.strictObject({
      resource,
      scopeMetrics: z.array(
        z.strictObject({
          scope,
          metrics: z.array(
            z.strictObject({
              name: z.string(),
              unit: z.string(),
              histogram: z.strictObject({
                aggregationTemporality: z.literal(2),
                dataPoints: z.array(point).min(1),
              }),
            }),
          ),
        }),
      ),
    }),
  ),
});

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: object;
  /** The attributes by name. */
  readonly values: Readonly<Record<string, unknown>>;
}

export interface Receiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly metricNames: string[];
  readonly resources: Readonly<Record<string, unknown>>[];
  /** What was wrong in requests; must stay empty. */
  readonly problems: string[];
  /** Statuses of the next answers; 200 afterwards. */
  readonly answers: { status: number; headers?: Record<string, string> }[];
  readonly requests: { path: string; headers: Record<string, unknown> }[];
  close(): Promise<void>;
}

function valuesOf(list: z.infer<typeof attributes>): Record<string, unknown> {
  return Object.fromEntries(
    list.map(({ key, value }) => {
      const [[kind, item]] = Object.entries(value) as [[string, unknown]];
      return [key, kind === "intValue" ? Number(item) : item];
    }),
  );
}

/** A collector that takes nothing but what the protocol allows. */
export async function startReceiver(): Promise<Receiver> {
  const receiver = {
    spans: [] as ReceivedSpan[],
    metricNames: [] as string[],
    resources: [] as Record<string, unknown>[],
    problems: [] as string[],
    answers: [] as Receiver["answers"],
    requests: [] as Receiver["requests"],
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      receiver.requests.push({ path: request.url ?? "", headers: request.headers });
      const answer = receiver.answers.shift() ?? { status: 200 };
      try {
        if (answer.status === 200) take(request.url ?? "", Buffer.concat(chunks).toString("utf8"));
        if (request.headers["content-type"] !== "application/json") throw new Error("content-type");
      } catch (error) {
        receiver.problems.push(String(error));
      }
      response.writeHead(answer.status, answer.headers).end("{}");
    });
  });
  const take = (path: string, text: string): void => {
    if (path === "/v1/traces") {
      for (const { resource: from, scopeSpans } of traces.parse(JSON.parse(text)).resourceSpans) {
        receiver.resources.push(valuesOf(from.attributes));
        for (const { spans } of scopeSpans) {
          receiver.spans.push(
            ...spans.map((one) => ({ ...one, values: valuesOf(one.attributes) })),
          );
        }
      }
    } else {
      for (const { scopeMetrics } of metrics.parse(JSON.parse(text)).resourceMetrics) {
        for (const one of scopeMetrics)
          receiver.metricNames.push(...one.metrics.map(({ name }) => name));
      }
    }
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...receiver,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
