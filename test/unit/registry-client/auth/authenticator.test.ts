import { expect, test } from "vitest";
import {
  basicCredentials,
  createRegistryClient,
  digestOf,
  Secret,
  type RegistryClient,
  type RegistryClientOptions,
} from "../../../../registry-client/index.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { readAll } from "../../../support/read-all.ts";
import { answer, startScriptedServer, type Step } from "../../../support/scripted-server.ts";

// What a user loses when these fail: pushes that stop at "unauthorized" half way, or a password in foreign hands.

const digest = digestOf("x");
const head = `HEAD /v2/a/blobs/${digest}`;
const token = (scope: string, account = "&account=me"): string =>
  `GET /token?service=s&scope=${encodeURIComponent(scope)}${account}`;

/** Answers 200 to this Authorization, and a challenge to any other. */
function guarded(expectLine: string, authorization: string | undefined, challenge: string): Step {
  return {
    expect: expectLine,
    respond: async ({ request, response, body }) => {
      await body();
      const isRight = request.headers.authorization === authorization;
      response
        .writeHead(isRight ? 200 : 401, isRight ? {} : { "www-authenticate": challenge })
        .end();
    },
  };
}

function connect(host: string, more: Partial<RegistryClientOptions> = {}): RegistryClient {
  const credentials = basicCredentials("me", "pw");
  return createRegistryClient({ registry: host, clock: new FakeClock(), credentials, ...more });
}

const bearer = (host: string): string =>
  `Bearer realm="http://${host}/token",service="s",scope="repository:a:pull"`;
const basic = `Basic ${Buffer.from("me:pw").toString("base64")}`;

test("Basic: answers the challenge once and speaks first from then on", async () => {
  await using server = await startScriptedServer([
    guarded(head, basic, 'Basic realm="r"'),
    guarded(head, basic, 'Basic realm="r"'),
    guarded(head, basic, 'Basic realm="r"'),
  ]);
  await using client = connect(server.host);
  await client.headBlob("a", digest);
  await client.headBlob("a", digest);
  expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([
    undefined,
    basic,
    basic,
  ]);
  server.verify();
});

test("a wrong password is one refusal with a hint, not a loop", async () => {
  const refused = guarded(head, "other", 'Basic realm="r"');
  await using server = await startScriptedServer([refused, refused]);
  await using client = connect(server.host);
  await expect(client.headBlob("a", digest)).rejects.toMatchObject({
    code: "unauthorized",
    hint: expect.stringContaining("docker login"),
  });
  server.verify();
});

test("Bearer: one token serves all requests of its scope until 80 % of its life is over", async () => {
  const clock = new FakeClock();
  await using server = await startScriptedServer((host) => [
    guarded(head, "Bearer t1", bearer(host)),
    answer(token("repository:a:pull"), 200, {}, '{"token":"t1","expires_in":100}'),
    guarded(head, "Bearer t1", ""),
    guarded(head, "Bearer t1", ""),
    answer(token("repository:a:pull"), 200, {}, '{"access_token":"t2"}'),
    guarded(head, "Bearer t2", ""),
  ]);
  await using client = connect(server.host, { clock });
  await client.headBlob("a", digest);
  clock.nowMs += 79_000;
  await client.headBlob("a", digest);
  clock.nowMs += 1_000;
  await client.headBlob("a", digest);
  server.verify();
  expect(server.seen[1]?.headers.authorization).toBe(basic);
});

test("a token that expired early is replaced within the same request", async () => {
  await using server = await startScriptedServer((host) => [
    guarded(head, "Bearer t1", bearer(host)),
    answer(token("repository:a:pull"), 200, {}, '{"token":"t1"}'),
    guarded(head, "Bearer t1", ""),
    guarded(head, "Bearer t2", bearer(host)),
    answer(token("repository:a:pull"), 200, {}, '{"token":"t2"}'),
    guarded(head, "Bearer t2", ""),
  ]);
  await using client = connect(server.host);
  await client.headBlob("a", digest);
  await client.headBlob("a", digest);
  server.verify();
});

test("a 401 in mid-push gets a new token and the body once more", async () => {
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, config: { mediaType: "c", digest, size: 1 }, layers: [] }),
  );
  const put = "PUT /v2/a/manifests/v1";
  await using server = await startScriptedServer((host) => [
    answer(put, 401, { "www-authenticate": bearer(host) }),
    answer(
      `GET /token?service=s&scope=${encodeURIComponent("repository:a:pull")}&scope=${encodeURIComponent("repository:a:pull,push")}&account=me`,
      200,
      {},
      '{"token":"t"}',
    ),
    {
      expect: put,
      respond: async ({ request, response, body }) => {
        expect(request.headers.authorization).toBe("Bearer t");
        expect((await body()).equals(manifest)).toBe(true);
        response.writeHead(201).end();
      },
    },
  ]);
  await using client = connect(server.host);
  await client.putManifest("a", "v1", manifest, "application/vnd.oci.image.manifest.v1+json");
  server.verify();
});

test("a fresh token that is refused names the scope that was wanted", async () => {
  await using server = await startScriptedServer((host) => [
    guarded(head, "nobody", bearer(host)),
    answer(token("repository:a:pull"), 200, {}, '{"token":"t"}'),
    guarded(head, "nobody", bearer(host)),
  ]);
  await using client = connect(server.host);
  const get = client.headBlob("a", digest);
  await expect(get).rejects.toMatchObject({
    code: "unauthorized",
    message: expect.stringContaining("repository:a:pull"),
  });
  server.verify();
});

test("ten requests at once fetch one token", async () => {
  await using server = await startScriptedServer((host) => [
    guarded(head, "Bearer t", bearer(host)),
    answer(token("repository:a:pull"), 200, {}, '{"token":"t"}'),
    ...Array.from({ length: 11 }, () => guarded(head, "Bearer t", "")),
  ]);
  await using client = connect(server.host);
  await client.headBlob("a", digest);
  await Promise.all(Array.from({ length: 10 }, async () => client.headBlob("a", digest)));
  server.verify();
});

test("an identity token goes by POST, and by GET where POST is unknown", async () => {
  const credentials = { kind: "identity-token", token: new Secret("refresh") } as const;
  const post: Step = {
    expect: "POST /token",
    respond: async ({ response, body }) => {
      expect(Object.fromEntries(new URLSearchParams((await body()).toString()))).toEqual({
        grant_type: "refresh_token",
        service: "s",
        client_id: "byom",
        scope: "repository:a:pull",
        refresh_token: "refresh",
      });
      response.writeHead(404).end();
    },
  };
  await using server = await startScriptedServer((host) => [
    guarded(head, "Bearer t", bearer(host)),
    post,
    answer(token("repository:a:pull", ""), 200, {}, '{"token":"t"}'),
    guarded(head, "Bearer t", ""),
  ]);
  await using client = connect(server.host, { credentials });
  await client.headBlob("a", digest);
  server.verify();
});

test("a redirect to another host gets the request but not the Authorization", async () => {
  const get = `GET /v2/a/blobs/${digest}`;
  const descriptor = { mediaType: "x", digest, size: 1 };
  await using storage = await startScriptedServer([answer("GET /blob?sig=1", 200, {}, "x")]);
  await using server = await startScriptedServer([
    guarded(get, "unsent", 'Basic realm="r"'),
    answer(get, 307, { location: `http://${storage.host}/blob?sig=1` }),
  ]);
  await using client = connect(server.host);
  await readAll(client.getBlob("a", descriptor));
  expect(server.seen[1]?.headers.authorization).toBe(basic);
  expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  server.verify();
  storage.verify();
});

test("an upload that continues on another host gets no Authorization there", async () => {
  await using storage = await startScriptedServer([answer(/^PUT \/up\?sig=1&digest=/, 201)]);
  await using server = await startScriptedServer([
    guarded(head, "unsent", 'Basic realm="r"'),
    answer(head, 404),
    answer("POST /v2/a/blobs/uploads/", 202, { location: `http://${storage.host}/up?sig=1` }),
  ]);
  await using client = connect(server.host);
  const source = {
    descriptor: { mediaType: "x", digest, size: 1 },
    async *open() {
      yield Buffer.from("x");
    },
  };
  await client.pushBlob("a", source);
  expect(storage.seen[0]?.headers.authorization).toBeUndefined();
  storage.verify();
});

test("endless redirects end", async () => {
  const steps = Array.from({ length: 6 }, () =>
    answer(head, 302, { location: `/v2/a/blobs/${digest}` }),
  );
  await using server = await startScriptedServer(steps);
  await using client = connect(server.host);
  await expect(client.headBlob("a", digest)).rejects.toMatchObject({ code: "protocol" });
  server.verify();
});

test("a token that cannot stand in a header is refused", async () => {
  await using server = await startScriptedServer((host) => [
    guarded(head, "x", bearer(host)),
    answer(token("repository:a:pull"), 200, {}, '{"token":"a\\r\\nX-Evil: 1"}'),
  ]);
  await using client = connect(server.host);
  await expect(client.headBlob("a", digest)).rejects.toMatchObject({ code: "protocol" });
  server.verify();
});
