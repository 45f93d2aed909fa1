import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import {
  createRegistryClient,
  digestOf,
  mediaTypes,
  type RegistryClient,
} from "../../../registry-client/index.ts";
import { readAll } from "../../support/read-all.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import {
  answer,
  startScriptedServer,
  type ScriptedServer,
  type Step,
} from "../../support/scripted-server.ts";

// What a user loses when these fail: a model that runs with wrong weights, or a pull that never ends.

const bytes = randomBytes(300_000);
const descriptor = {
  mediaType: mediaTypes.layerTar,
  digest: digestOf(bytes),
  size: bytes.byteLength,
};
const get = `GET /v2/a/blobs/${descriptor.digest}`;

/** Promises everything and cuts the connection after `sent` bytes of `content`. */
function truncated(
  content: Buffer,
  sent: number,
  status = 200,
  headers: Record<string, string> = {},
): Step {
  return {
    expect: get,
    respond: (exchange) => {
      exchange.response.writeHead(status, {
        "content-length": String(content.byteLength),
        ...headers,
      });
      exchange.response.write(content.subarray(0, sent), () => {
        setTimeout(() => exchange.request.socket.destroy(), 20);
      });
    },
  };
}

function connect(server: ScriptedServer): RegistryClient {
  return createRegistryClient({ registry: server.host, clock: new FakeClock() });
}

async function read(
  client: RegistryClient,
  options: { offset?: number; signal?: AbortSignal } = {},
): Promise<Buffer> {
  return readAll(client.getBlob("a", descriptor, options));
}

test("reads a blob from the start or from an offset", async () => {
  const rest = bytes.subarray(100_000);
  await using server = await startScriptedServer([
    answer(get, 200, {}, bytes),
    answer(get, 206, { "content-range": "bytes 100000-299999/300000" }, rest),
  ]);
  await using client = connect(server);
  expect((await read(client)).equals(bytes)).toBe(true);
  expect((await read(client, { offset: 100_000 })).equals(rest)).toBe(true);
  expect(server.seen.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=100000-"]);
  server.verify();
});

test("a truncated answer is resumed where it broke", async () => {
  await using server = await startScriptedServer([
    truncated(bytes, 120_000),
    {
      expect: get,
      respond: (exchange) => {
        const start = Number(/^bytes=(\d+)-$/.exec(exchange.request.headers.range ?? "")?.[1]);
        expect(start).toBe(120_000);
        exchange.response
          .writeHead(206, { "content-range": `bytes ${start}-299999/300000` })
          .end(bytes.subarray(start));
      },
    },
  ]);
  await using client = connect(server);
  expect((await read(client)).equals(bytes)).toBe(true);
  server.verify();
});

test("a registry that answers a range with everything is read from the right place", async () => {
  await using server = await startScriptedServer([
    truncated(bytes, 120_000),
    answer(get, 200, {}, bytes),
  ]);
  await using client = connect(server);
  expect((await read(client)).equals(bytes)).toBe(true);
  server.verify();
});

test("a range that is not the one asked for is not believed", async () => {
  await using server = await startScriptedServer([
    truncated(bytes, 120_000),
    answer(get, 206, { "content-range": "bytes 0-179999/300000" }, bytes.subarray(0, 180_000)),
    answer(get, 200, {}, bytes),
  ]);
  await using client = connect(server);
  expect((await read(client)).equals(bytes)).toBe(true);
  expect(server.seen.at(-1)?.headers.range).toBeUndefined();
  server.verify();
});

test("wrong bytes of the right length fail, once", async () => {
  const wrong = Buffer.from(bytes);
  wrong[7] = (wrong[7] ?? 0) ^ 1;
  await using server = await startScriptedServer([answer(get, 200, {}, wrong)]);
  await using client = connect(server);
  await expect(read(client)).rejects.toMatchObject({
    code: "digest-mismatch",
    actual: digestOf(wrong),
  });
  server.verify();
});

test("more bytes than the descriptor names fail", async () => {
  await using server = await startScriptedServer([
    answer(get, 200, {}, Buffer.concat([bytes, bytes])),
  ]);
  await using client = connect(server);
  await expect(read(client)).rejects.toMatchObject({ code: "size-mismatch" });
});

test("a proxy that compresses is named instead of a puzzling digest", async () => {
  await using server = await startScriptedServer([
    answer(get, 200, { "content-encoding": "gzip" }, "x"),
  ]);
  await using client = connect(server);
  await expect(read(client)).rejects.toMatchObject({
    code: "protocol",
    message: expect.stringContaining("gzip"),
  });
});

test("a line that breaks without progress is given up after five tries", async () => {
  await using server = await startScriptedServer([1, 2, 3, 4, 5].map(() => truncated(bytes, 0)));
  await using client = connect(server);
  await expect(read(client)).rejects.toMatchObject({ code: "connection-failed" });
  server.verify();
});

test("a missing blob is not found, with the registry's words stripped of control characters", async () => {
  const body = JSON.stringify({
    errors: [{ code: "BLOB_UNKNOWN", message: "gone\u001b[31m", detail: { a: 1 } }],
  });
  await using server = await startScriptedServer([answer(get, 404, {}, body)]);
  await using client = connect(server);
  await expect(read(client)).rejects.toMatchObject({
    code: "not-found",
    status: 404,
    problems: [{ code: "BLOB_UNKNOWN", message: "gone [31m", detail: '{"a":1}' }],
  });
});

test("an abort while reading passes its reason on", async () => {
  const controller = new AbortController();
  const reason = new Error("Ctrl-C");
  await using server = await startScriptedServer([
    {
      expect: get,
      respond: (exchange) => {
        exchange.response.writeHead(200, { "content-length": "300000" });
        exchange.response.write(bytes.subarray(0, 1000), () => controller.abort(reason));
      },
    },
  ]);
  await using client = connect(server);
  await expect(read(client, { signal: controller.signal })).rejects.toBe(reason);
  server.verify();
});

test("an empty blob is read and verified", async () => {
  const empty = { mediaType: mediaTypes.layerTar, digest: digestOf(""), size: 0 };
  await using server = await startScriptedServer([answer(`GET /v2/a/blobs/${empty.digest}`, 200)]);
  await using client = connect(server);
  expect((await readAll(client.getBlob("a", empty))).byteLength).toBe(0);
  server.verify();
});
