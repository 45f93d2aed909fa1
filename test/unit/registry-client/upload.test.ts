import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import {
  blobFromBytes,
  createRegistryClient,
  mediaTypes,
  type BlobSource,
  type RegistryClientOptions,
  type RegistryEvent,
} from "../../../registry-client/index.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import {
  answer,
  startScriptedServer,
  type ScriptedServer,
  type Step,
} from "../../support/scripted-server.ts";

// What a user loses when these fail: a push over a bad line never ends, sends everything again, or stores wrong bytes.

const sizeBytes = 4 * 1024 * 1024;
const bytes = randomBytes(sizeBytes);
const source = chunked(bytes);
const { digest } = source.descriptor;
const query = `digest=${encodeURIComponent(digest)}`;

const head = `HEAD /v2/a/b/blobs/${digest}`;
const post = "POST /v2/a/b/blobs/uploads/";
const absent = answer(head, 404);
const opened = answer(post, 202, { location: "/u/1?_state=x%2Fy" });
const cancelled = answer("DELETE /u/1?_state=x%2Fy", 204);
const put = `PUT /u/1?_state=x%2Fy&${query}`;

/** Reads part of the body and cuts the connection. */
function cutAfter(expectLine: string, receivedBytes: number): Step {
  return {
    expect: expectLine,
    respond: async (exchange) => {
      await exchange.bodyUpTo(receivedBytes);
      exchange.request.socket.destroy();
    },
  };
}

/** Takes the body, compares it with these bytes, and answers 201. */
function commits(expectLine: string, expected: Buffer, headers: Record<string, string> = {}): Step {
  return {
    expect: expectLine,
    respond: async (exchange) => {
      const received = await exchange.body();
      expect(received.equals(expected)).toBe(true);
      expect(exchange.request.headers).toMatchObject({
        "content-length": String(expected.byteLength),
        ...headers,
      });
      exchange.response.writeHead(201).end();
    },
  };
}

function chunked(content: Buffer): BlobSource {
  const { descriptor } = blobFromBytes(content, { mediaType: mediaTypes.layerTar });
  return {
    descriptor,
    async *open({ offset = 0 } = {}) {
      for (let at = offset; at < content.byteLength; at += 64 * 1024)
        yield content.subarray(at, at + 64 * 1024);
    },
  };
}

function connect(
  server: ScriptedServer,
  more: Partial<RegistryClientOptions> = {},
): ReturnType<typeof createRegistryClient> {
  return createRegistryClient({ registry: server.host, clock: new FakeClock(), ...more });
}

test("asks first: a blob that is there moves no byte", async () => {
  await using server = await startScriptedServer([answer(head, 200)]);
  await using client = connect(server);
  expect(await client.pushBlob("a/b", source)).toMatchObject({ how: "skipped", sentBytes: 0 });
  server.verify();
});

test("uploads in one PUT to the session's own address, its query untouched", async () => {
  await using server = await startScriptedServer([absent, opened, commits(put, bytes)]);
  const events: RegistryEvent[] = [];
  await using client = connect(server, { onEvent: (event) => events.push(event) });
  expect(await client.pushBlob("a/b", source)).toMatchObject({
    how: "uploaded",
    sentBytes: sizeBytes,
  });
  server.verify();
  const facts = { repository: "a/b", digest, sizeBytes };
  expect(events[0]).toEqual({ type: "layer-upload-start", ...facts });
  expect(events.filter(({ type }) => type === "layer-upload-progress").at(-1)).toEqual({
    type: "layer-upload-progress",
    ...facts,
    sentBytes: sizeBytes,
  });
  expect(events.at(-1)).toEqual({
    type: "layer-upload-end",
    ...facts,
    sentBytes: sizeBytes,
    how: "uploaded",
  });
});

test("mounts from another repository", async () => {
  const mount = `${post}?mount=${encodeURIComponent(digest)}&from=o%2Fther`;
  await using server = await startScriptedServer([absent, answer(mount, 201)]);
  await using client = connect(server);
  expect(await client.pushBlob("a/b", source, { mountFrom: "o/ther" })).toMatchObject({
    how: "mounted",
    sentBytes: 0,
  });
  server.verify();
});

test("a mount answered with 202 is an open session, a refused one is an upload", async () => {
  const mount = `${post}?mount=${encodeURIComponent(digest)}&from=`;
  await using server = await startScriptedServer([
    absent,
    answer(`${mount}denied`, 403),
    answer(`${mount}none`, 202, { location: "/u/1?_state=x%2Fy" }),
    commits(put, bytes),
  ]);
  await using client = connect(server);
  expect(await client.pushBlob("a/b", source, { mountFrom: ["denied", "none"] })).toMatchObject({
    how: "uploaded",
  });
  server.verify();
});

test("after a reset goes on where the registry says it stands", async () => {
  const half = sizeBytes / 2;
  await using server = await startScriptedServer([
    absent,
    opened,
    cutAfter(put, half),
    absent,
    answer("GET /u/1?_state=x%2Fy", 204, { range: `0-${half - 1}`, location: "/u/1?_state=new" }),
    commits(`PUT /u/1?_state=new&${query}`, bytes.subarray(half), {
      "content-range": `${half}-${sizeBytes - 1}`,
    }),
  ]);
  await using client = connect(server);
  expect(await client.pushBlob("a/b", source)).toMatchObject({ how: "uploaded" });
  server.verify();
});

test.each([
  [
    "the session is gone",
    answer("GET /u/1?_state=x%2Fy", 404, {}, '{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}'),
  ],
  [
    "its Range claims more than was sent",
    answer("GET /u/1?_state=x%2Fy", 204, { range: `0-${sizeBytes * 2}` }),
  ],
  ["its Range is 0-0", answer("GET /u/1?_state=x%2Fy", 204, { range: "0-0" })],
  ["it has no Range", answer("GET /u/1?_state=x%2Fy", 204)],
])("starts this blob again in a new session when %s", async (_reason, status) => {
  await using server = await startScriptedServer([
    absent,
    opened,
    cutAfter(put, 100_000),
    absent,
    status,
    cancelled,
    answer(post, 202, { location: "/u/2" }),
    commits(`PUT /u/2?${query}`, bytes),
  ]);
  await using client = connect(server);
  expect(await client.pushBlob("a/b", source)).toMatchObject({ how: "uploaded" });
  server.verify();
});

test("a commit whose answer was lost is found by HEAD, not sent again", async () => {
  await using server = await startScriptedServer([
    absent,
    opened,
    cutAfter(put, sizeBytes),
    answer(head, 200),
  ]);
  await using client = connect(server);
  expect(await client.pushBlob("a/b", source)).toMatchObject({ how: "uploaded" });
  server.verify();
});

test("while the registry is out of reach the session keeps its place", async () => {
  const gone = {
    expect: head,
    respond: ({ request }) => void request.socket.destroy(),
  } satisfies Step;
  await using server = await startScriptedServer([
    absent,
    opened,
    cutAfter(put, 100_000),
    gone,
    gone,
    commits(put, bytes),
  ]);
  await using client = connect(server, { retry: { tries: 2 } });
  expect(await client.pushBlob("a/b", source)).toMatchObject({ how: "uploaded" });
  server.verify();
});

test("gives up after five tries without progress and says what happened", async () => {
  const clock = new FakeClock();
  const round = [absent, answer("GET /u/1?_state=x%2Fy", 404), cancelled];
  const attempt = [opened, answer(put, 503), ...round];
  await using server = await startScriptedServer([
    absent,
    ...attempt,
    ...attempt,
    ...attempt,
    ...attempt,
    ...attempt,
  ]);
  await using client = connect(server, { clock });
  const failure = await client.pushBlob("a/b", source).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: "upload-failed",
    tries: 5,
    digest,
    cause: { status: 503 },
  });
  server.verify();
  expect(clock.sleepsMs).toEqual([500, 1000, 2000, 4000]);
});

test("waits as long as 429 asks, and sends nothing before", async () => {
  const clock = new FakeClock();
  await using server = await startScriptedServer([
    absent,
    opened,
    answer(put, 429, { "retry-after": "7" }),
    absent,
    answer("GET /u/1?_state=x%2Fy", 404),
    cancelled,
    opened,
    commits(put, bytes),
  ]);
  await using client = connect(server, { clock });
  await client.pushBlob("a/b", source);
  server.verify();
  expect(clock.sleepsMs).toEqual([7000]);
});

test("a wait of an hour is an error that names it, not an hour of silence", async () => {
  const clock = new FakeClock();
  await using server = await startScriptedServer([answer(head, 429, { "retry-after": "3600" })]);
  await using client = connect(server, { clock });
  await expect(client.pushBlob("a/b", source)).rejects.toMatchObject({
    code: "rate-limited",
    message: expect.stringContaining("3600 s"),
  });
  server.verify();
  expect(clock.sleepsMs).toEqual([]);
});

test("bytes that are not those that were hashed are refused once, plainly", async () => {
  await using server = await startScriptedServer([
    absent,
    opened,
    answer(
      put,
      400,
      {},
      '{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}',
    ),
    cancelled,
  ]);
  await using client = connect(server);
  await expect(client.pushBlob("a/b", source)).rejects.toMatchObject({
    code: "digest-mismatch",
    hint: expect.stringContaining("changed during the push"),
  });
  server.verify();
});

test("what the source throws comes out as it is, without a retry", async () => {
  const broken = new Error("weights.bin changed");
  const received = Promise.withResolvers<void>();
  const faulty: BlobSource = {
    descriptor: source.descriptor,
    async *open() {
      yield bytes.subarray(0, 1000);
      await received.promise;
      throw broken;
    },
  };
  await using server = await startScriptedServer([
    absent,
    opened,
    {
      expect: put,
      respond: async (exchange) => {
        await exchange.bodyUpTo(1);
        received.resolve();
      },
    },
    cancelled,
  ]);
  await using client = connect(server);
  await expect(client.pushBlob("a/b", faulty)).rejects.toBe(broken);
  server.verify();
});

test("an abort in mid-body passes its reason on, cancels the session and retries nothing", async () => {
  const controller = new AbortController();
  const reason = new Error("Ctrl-C");
  await using server = await startScriptedServer([
    absent,
    opened,
    {
      expect: put,
      respond: async (exchange) => {
        await exchange.bodyUpTo(1000);
        controller.abort(reason);
      },
    },
    cancelled,
  ]);
  await using client = connect(server);
  await expect(client.pushBlob("a/b", source, { signal: controller.signal })).rejects.toBe(reason);
  server.verify();
});

test("a registry that names the longest part gets equal parts in order", async () => {
  const part = 1_500_000;
  const patch = (state: number, start: number, end: number): Step => ({
    expect: `PATCH /u/${state}`,
    respond: async (exchange) => {
      expect(exchange.request.headers["content-range"]).toBe(`${start}-${end - 1}`);
      expect((await exchange.body()).equals(bytes.subarray(start, end))).toBe(true);
      // ECR's Range that sticks at the first part.
      exchange.response
        .writeHead(202, { location: `/u/${state + 1}`, range: `0-${part - 1}` })
        .end();
    },
  });
  await using server = await startScriptedServer([
    absent,
    answer(post, 202, { location: "/u/1", "oci-chunk-max-length": String(part) }),
    patch(1, 0, part),
    patch(2, part, 2 * part),
    patch(3, 2 * part, sizeBytes),
    commits(`PUT /u/4?${query}`, Buffer.alloc(0)),
  ]);
  await using client = connect(server);
  expect(await client.pushBlob("a/b", source)).toMatchObject({
    how: "uploaded",
    sentBytes: sizeBytes,
  });
  server.verify();
});

test("a silent registry is given up after the idle time, not waited for", async () => {
  await using server = await startScriptedServer([{ expect: head, respond: () => {} }]);
  await using client = connect(server, { idleTimeoutMs: 50, retry: { tries: 1 } });
  await expect(client.pushBlob("a/b", source)).rejects.toMatchObject({ code: "connection-failed" });
  server.verify();
});
