// What every adapter leans on: where the key goes, which failure a caller hears, what a broken connection looks like.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";

import { GatewayError } from "../../../../../gateway/errors.ts";
import { defaultDeadlines, type Deadlines } from "../../../../../gateway/limits.ts";
import { createPools, type Pools } from "../../../../../gateway/upstream/pools.ts";
import type {
  ProviderAdapter,
  ProviderEvent,
  ProviderHttp,
} from "../../../../../gateway/upstream/provider/adapter.ts";
import { parseAllowList } from "../../../../../gateway/http/url-guard.ts";
import {
  createFetchFile,
  type FetchFile,
} from "../../../../../gateway/upstream/provider/fetch-file.ts";
import { FormBody } from "../../../../../gateway/upstream/provider/form.ts";
import { createProviderHttp } from "../../../../../gateway/upstream/provider/http.ts";
import {
  bytes,
  cut,
  cutAfter,
  fail,
  json,
  sse,
  stall,
  startProviderDouble,
  type ProviderDouble,
} from "../../../../support/provider-double.ts";

const key = "sk-test-0123456789";

const adapter: ProviderAdapter = {
  id: "openai-compatible",
  title: "Some",
  source: { document: "none", date: "2026-11-23" },
  authorize: (secret) => ({ Authorization: `Bearer ${secret}` }),
  run: () => Promise.reject(new Error("not run here")),
};

let double: ProviderDouble;
let pools: Pools;

beforeEach(async () => {
  pools = createPools({ connectMs: 1_000 });
  double = await startProviderDouble({
    basePath: "/v1",
    key: { authorization: `Bearer ${key}` },
    refuse: ({ status, message }) => fail(status, { error: { message } }),
    routes: [
      {
        method: "POST",
        path: "/echo",
        body: z.unknown(),
        query: z.looseObject({}),
        answer: ({ body }) => json({ body }),
      },
      { method: "POST", path: "/stream", body: z.unknown(), answer: () => sse([]) },
      { method: "GET", path: "/jobs/{id}", answer: ({ params }) => json(params) },
      { method: "GET", path: "/file", answer: () => bytes(Buffer.from("film"), "video/mp4") },
      {
        method: "GET",
        path: "/open",
        isOpen: true,
        headers: z.looseObject({ authorization: z.undefined().optional() }),
        answer: () => bytes(Buffer.from("public"), "video/mp4"),
      },
    ],
  });
});

afterEach(async () => {
  await pools.close({ isForced: true });
  await double[Symbol.asyncDispose]();
});

function http(
  options: {
    readonly baseUrl?: string;
    readonly signal?: AbortSignal;
    readonly deadlines?: Partial<Deadlines>;
    readonly fetchFile?: FetchFile;
  } = {},
): ProviderHttp {
  return createProviderHttp({
    provider: { name: "some", adapter, baseUrl: options.baseUrl ?? double.baseUrl, key },
    key,
    pools,
    deadlines: { ...defaultDeadlines, ...options.deadlines },
    signal: options.signal ?? new AbortController().signal,
    ...(options.fetchFile === undefined ? {} : { fetchFile: options.fetchFile }),
  });
}

async function all(stream: AsyncIterable<ProviderEvent>): Promise<readonly ProviderEvent[]> {
  const events: ProviderEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

async function failureOf(work: Promise<unknown>): Promise<GatewayError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof GatewayError) return error;
  throw new Error(`no GatewayError: ${String(error)}`);
}

describe("requests", () => {
  it("joins paths under the base URL and keeps its query, as Azure's base URLs have one", async () => {
    const azure = http({ baseUrl: `${double.baseUrl}/?api-version=2024-10-21` });
    await azure.json({ method: "POST", path: "/echo?x=1", body: {} });
    expect(double.requests[0]?.path).toBe("/v1/echo");
    expect(double.requests[0]?.query).toEqual({ "api-version": "2024-10-21", x: "1" });
  });

  it("sends a form whose files arrive byte by byte", async () => {
    const file = Buffer.from([0, 13, 10, 255, 45, 45]);
    await http().json({
      method: "POST",
      path: "echo",
      body: new FormBody([
        { name: "model", value: "whisper-1" },
        { name: "file", fileName: 'a"b.wav', contentType: "audio/wav", bytes: file },
      ]),
    });
    const body = double.requests[0]?.body as Record<string, Record<string, unknown>>;
    expect(body["model"]).toBe("whisper-1");
    expect(body["file"]).toMatchObject({ contentType: "audio/wav", bytes: file });
  });

  it("does not follow redirects of a call, so that a key never travels on", async () => {
    double.next((response) => {
      response.writeHead(307, { location: `${double.baseUrl}/echo` }).end();
    });
    const error = await failureOf(http().json({ method: "POST", path: "/echo", body: {} }));
    expect(error.code).toBe("upstream_failed");
    expect(double.requests).toHaveLength(1);
  });

  it("follows a download to another origin without the key", async () => {
    await using other = await startProviderDouble({
      key: {},
      refuse: ({ status }) => fail(status, {}),
      routes: [
        {
          method: "GET",
          path: "/film",
          headers: z.looseObject({ authorization: z.undefined().optional() }),
          answer: () => bytes(Buffer.from("far film"), "video/mp4"),
        },
      ],
    });
    double.next((response) => {
      response.writeHead(302, { location: `${other.origin}/film` }).end();
    });
    const answer = await http().bytes({ method: "GET", path: "/file", isDownload: true });
    expect(answer.body.toString()).toBe("far film");
  });

  it("reads data URIs and refuses other references where nothing fetches them", async () => {
    const file = await http().file("data:image/png;base64,AAEC");
    expect(file).toEqual({ contentType: "image/png", bytes: Buffer.from([0, 1, 2]) });
    const error = await failureOf(http().file("http://169.254.169.254/latest/meta-data"));
    expect(error.code).toBe("invalid_input");
  });

  it("does not let a provider send a download to a private address", async () => {
    double.next((response) => {
      response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end();
    });
    const guarded = http({
      fetchFile: createFetchFile({ allow: parseAllowList([]), connectMs: 1_000 }),
    });
    const work = guarded.bytes({ method: "GET", path: "/file", isDownload: true });
    expect((await failureOf(work)).message).toContain("not a public address");
  });
});

describe("failures", () => {
  const shapes: readonly (readonly [string, number, unknown, Partial<GatewayError>])[] = [
    [
      "OpenAI's parameter error",
      400,
      { error: { message: "too hot", type: "invalid_request_error", param: "temperature" } },
      {
        code: "invalid_input",
        message: "some refused the input (400): too hot",
        parameter: "temperature",
      },
    ],
    [
      "FastAPI's list",
      422,
      { detail: [{ loc: ["body", "steps"], msg: "must be positive", type: "value_error" }] },
      { code: "invalid_input", message: "some refused the input (422): steps: must be positive" },
    ],
    [
      "Anthropic's overload",
      529,
      { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
      { code: "upstream_failed", message: "some answered 529: Overloaded", retryAfterMs: 5_000 },
    ],
    [
      "Google's quota",
      429,
      {
        error: {
          code: 429,
          message: "quota",
          status: "RESOURCE_EXHAUSTED",
          details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "13s" }],
        },
      },
      { code: "rate_limited", retryAfterMs: 13_000 },
    ],
    [
      "Google's unknown key, which is a 400",
      400,
      {
        error: {
          code: 400,
          message: "API key not valid.",
          status: "INVALID_ARGUMENT",
          details: [{ reason: "API_KEY_INVALID", domain: "googleapis.com" }],
        },
      },
      { code: "upstream_failed" },
    ],
    [
      "Cloudflare's envelope",
      404,
      { result: null, success: false, errors: [{ code: 5007, message: "No such model" }] },
      { code: "model_not_found", parameter: "model" },
    ],
    [
      "Replicate's problem",
      402,
      { title: "Insufficient credit", detail: "You have insufficient credit", status: 402 },
      { code: "upstream_failed", message: "some answered 402: You have insufficient credit" },
    ],
    [
      "a gateway's HTML page",
      502,
      "<html><h1>Bad gateway</h1></html>",
      { code: "upstream_failed" },
    ],
  ];

  it.each(shapes)("tells %s in the gateway's words", async (_name, status, body, expected) => {
    double.next(fail(status, body));
    const error = await failureOf(http().json({ method: "POST", path: "/echo", body: {} }));
    expect(error).toMatchObject(expected);
  });

  it.each([401, 403])(
    "names whose key was refused at %i, and shows no part of it",
    async (status) => {
      const message = `Incorrect API key provided: ${key}. Also ${key.slice(0, 12)}`;
      double.next(fail(status, { error: { message } }));
      const error = await failureOf(http().json({ method: "POST", path: "/echo", body: {} }));
      expect(error.code).toBe("upstream_failed");
      expect(error.message).toContain("some refused the API key of some");
      expect(`${error.message} ${error.hint}`).not.toContain(key.slice(0, 12));
      expect(error.isRetryable).toBe(false);
    },
  );

  it.each([
    [{ "retry-after-ms": "250" }, 250],
    [{ "retry-after": "3" }, 3_000],
    [{}, 5_000],
  ])("keeps the pause that a rate limit names: %j", async (headers, retryAfterMs) => {
    double.next(fail(429, { error: { message: "slow down" } }, headers));
    const error = await failureOf(http().json({ method: "POST", path: "/echo", body: {} }));
    expect(error).toMatchObject({ code: "rate_limited", retryAfterMs });
  });

  it("does not call a job that is gone a missing model", async () => {
    double.next(fail(404, { detail: "Not found" }));
    const error = await failureOf(http().json({ method: "GET", path: "/jobs/1" }));
    expect(error.code).toBe("upstream_failed");
  });

  it("calls an answer that is not JSON broken", async () => {
    double.next(bytes(Buffer.from("<html>"), "text/html"));
    const error = await failureOf(http().json({ method: "POST", path: "/echo", body: {} }));
    expect(error).toMatchObject({ code: "upstream_failed" });
  });

  it("names the deadline that ran out", async () => {
    double.next(() => undefined);
    const silent = http({ deadlines: { firstByteMs: 50 } });
    const first = await failureOf(
      all(silent.events({ method: "POST", path: "/stream", body: {} })),
    );
    expect(first).toMatchObject({
      code: "upstream_timeout",
      message: "some did not begin to answer within 50 ms.",
    });
    double.next(stall([{ a: 1 }]));
    const idle = http({ deadlines: { idleMs: 50 } });
    const second = await failureOf(all(idle.events({ method: "POST", path: "/stream", body: {} })));
    expect(second).toMatchObject({
      code: "upstream_timeout",
      message: expect.stringContaining("silent for 50 ms"),
    });
  });

  it("tells a provider that cannot be reached from one that broke off", async () => {
    double.next(cut());
    const broke = await failureOf(http().json({ method: "POST", path: "/echo", body: {} }));
    expect(broke.message).toBe("The connection to some broke before it answered.");
    const nobody = http({ baseUrl: "http://127.0.0.1:9" });
    const gone = await failureOf(nobody.json({ method: "POST", path: "/echo", body: {} }));
    expect(gone).toMatchObject({
      code: "upstream_failed",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    expect(gone.isRetryable).toBe(true);
  });
});

describe("streams", () => {
  it("gives events by name, without comments, and the last one without its empty line", async () => {
    double.next(sse([": ping\n\n", "event: delta\r\ndata: a\r\n\r\n", "data: b\ndata: c\n"]));
    const events = await all(http().events({ method: "POST", path: "/stream", body: {} }));
    expect(events).toEqual([
      { name: "delta", data: "a" },
      { name: "message", data: "b\nc" },
    ]);
  });

  it("says that a stream was cut, after the events that came", async () => {
    double.next(cutAfter(["data: one\n\n", "data: half"]));
    const seen: string[] = [];
    const work = (async () => {
      for await (const { data } of http().events({ method: "POST", path: "/stream", body: {} })) {
        seen.push(data);
      }
    })();
    expect(await failureOf(work)).toMatchObject({ code: "upstream_cut" });
    expect(seen).toEqual(["one"]);
  });

  it("refuses an answer that is no stream", async () => {
    double.next(json({ error: "busy" }));
    const error = await failureOf(
      all(http().events({ method: "POST", path: "/stream", body: {} })),
    );
    expect(error.message).toBe("some answered with application/json and not with a stream.");
  });

  it("closes the connection when the call is aborted, with the abort's reason", async () => {
    double.next(stall(["data: one\n\n"]));
    const abort = new AbortController();
    const reason = new GatewayError("canceled", "enough");
    const work = (async () => {
      const stream = http({ signal: abort.signal }).events({
        method: "POST",
        path: "/stream",
        body: {},
      });
      for await (const event of stream) if (event.data === "one") abort.abort(reason);
    })();
    expect(await failureOf(work)).toBe(reason);
    await double.requests[0]?.closed;
  });

  it("closes the connection when the reader stops early", async () => {
    double.next(stall(["data: one\n\n"]));
    for await (const event of http().events({ method: "POST", path: "/stream", body: {} })) {
      if (event.data === "one") break;
    }
    await double.requests[0]?.closed;
  });

  it("still sends a cancel after the call was aborted", async () => {
    const aborted = http({ signal: AbortSignal.abort(new Error("over")) });
    await aborted.afterwards({ method: "GET", path: "/jobs/7" });
    expect(double.requests[0]?.params).toEqual({ id: "7" });
  });
});
