import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import {
  createRegistryClient,
  digestOf,
  mediaTypes,
  type RegistryClient,
} from "../../../registry-client/index.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import {
  answer,
  startScriptedServer,
  type ScriptedServer,
  type Step,
} from "../../support/scripted-server.ts";

// What a user loses when these fail: an environment's layers that are stored wrong, or half.

const sizeBytes = 1024 * 1024;
const bytes = randomBytes(sizeBytes);
const digest = digestOf(bytes);
const query = `digest=${encodeURIComponent(digest)}`;
const opened = answer("POST /v2/a/b/blobs/uploads/", 202, { location: "/u/1?_state=x%2Fy" });
const cancelled = answer("DELETE /u/1?_state=x%2Fy", 204);

async function* stream(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sizeBytes; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

function connect(server: ScriptedServer): RegistryClient {
  return createRegistryClient({ registry: server.host, clock: new FakeClock() });
}

test("a stream of unknown digest goes out in one PATCH and is committed under what was hashed", async () => {
  await using server = await startScriptedServer([
    opened,
    {
      expect: "PATCH /u/1?_state=x%2Fy",
      respond: async (exchange) => {
        expect(exchange.request.headers["transfer-encoding"]).toBe("chunked");
        expect((await exchange.body()).equals(bytes)).toBe(true);
        exchange.response.writeHead(202, { location: "/u/2" }).end();
      },
    },
    answer(`PUT /u/2?${query}`, 503),
    answer(`PUT /u/2?${query}`, 201),
  ]);
  await using client = connect(server);
  expect(await client.pushBlobStream("a/b", stream())).toEqual({
    mediaType: mediaTypes.layerTar,
    digest,
    size: sizeBytes,
  });
  server.verify();
});

const cut: Step = {
  expect: "PATCH /u/1?_state=x%2Fy",
  respond: async (exchange) => {
    await exchange.bodyUpTo(1000);
    exchange.request.socket.destroy();
  },
};

test("a broken stream is not sent half: the session is cancelled", async () => {
  await using server = await startScriptedServer([opened, cut, cancelled]);
  await using client = connect(server);
  await expect(client.pushBlobStream("a/b", stream())).rejects.toMatchObject({
    code: "connection-failed",
  });
  server.verify();
});

test("what the stream throws comes out as it is", async () => {
  const broken = new Error("docker save ended early");
  const received = Promise.withResolvers<void>();
  const faulty = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
    await received.promise;
    throw broken;
  };
  const reads: Step = {
    expect: "PATCH /u/1?_state=x%2Fy",
    respond: async (exchange) => {
      await exchange.bodyUpTo(1);
      received.resolve();
    },
  };
  await using server = await startScriptedServer([opened, reads, cancelled]);
  await using client = connect(server);
  await expect(client.pushBlobStream("a/b", faulty())).rejects.toBe(broken);
  server.verify();
});

test("an abort passes its reason on and cancels the session", async () => {
  const controller = new AbortController();
  const reason = new Error("Ctrl-C");
  const aborts: Step = {
    expect: "PATCH /u/1?_state=x%2Fy",
    respond: async (exchange) => {
      await exchange.bodyUpTo(1);
      controller.abort(reason);
    },
  };
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) yield bytes;
  };
  await using server = await startScriptedServer([opened, aborts, cancelled]);
  await using client = connect(server);
  const push = client.pushBlobStream("a/b", endless(), { signal: controller.signal });
  await expect(push).rejects.toBe(reason);
  server.verify();
});
