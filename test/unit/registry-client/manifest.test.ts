import { expect, test } from "vitest";
import {
  createRegistryClient,
  digestOf,
  mediaTypes,
  type RegistryClient,
  type RegistryEvent,
} from "../../../registry-client/index.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { answer, startScriptedServer, type ScriptedServer } from "../../support/scripted-server.ts";

const config = { mediaType: mediaTypes.imageConfig, digest: digestOf("{}"), size: 2 };
const bytes = render({ layers: [] });
const digest = digestOf(bytes);

function render(more: object): Buffer {
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageManifest, config, ...more }),
  );
}

function connect(server: ScriptedServer, clock = new FakeClock()): RegistryClient {
  return createRegistryClient({ registry: server.host, clock });
}

test("reads a manifest as the bytes that its digest names", async () => {
  await using server = await startScriptedServer([
    answer("GET /v2/a/manifests/v1", 200, { "content-type": mediaTypes.imageManifest }, bytes),
  ]);
  await using client = connect(server);
  const found = await client.getManifest("a", "v1");
  expect(found).toMatchObject({
    digest,
    mediaType: mediaTypes.imageManifest,
    manifest: { config },
  });
  expect(Buffer.from(found.bytes).equals(bytes)).toBe(true);
  server.verify();
});

test("other bytes than the digest that was asked for are refused", async () => {
  await using server = await startScriptedServer([
    answer(`GET /v2/a/manifests/${digest}`, 200, {}, render({ layers: [], x: 1 })),
  ]);
  await using client = connect(server);
  await expect(client.getManifest("a", digest)).rejects.toMatchObject({
    code: "digest-mismatch",
    expected: digest,
  });
});

test.each([
  ["schema 1", '{"schemaVersion":1,"fsLayers":[]}'],
  ["HTML", "<html>"],
  [
    "a digest that is none",
    JSON.stringify({
      schemaVersion: 2,
      config: { ...config, digest: "sha256:../../x" },
      layers: [],
    }),
  ],
])("%s is no manifest", async (_name, body) => {
  await using server = await startScriptedServer([answer("GET /v2/a/manifests/v1", 200, {}, body)]);
  await using client = connect(server);
  await expect(client.getManifest("a", "v1")).rejects.toMatchObject({ code: "invalid-manifest" });
});

test("a manifest above 4 MiB is refused without reading on", async () => {
  await using server = await startScriptedServer([
    answer("GET /v2/a/manifests/v1", 200, {}, Buffer.alloc(5 * 1024 * 1024, 32)),
  ]);
  await using client = connect(server);
  await expect(client.getManifest("a", "v1")).rejects.toMatchObject({ code: "too-large" });
});

test("names cannot leave their place in the address", async () => {
  await using server = await startScriptedServer([]);
  await using client = connect(server);
  await expect(client.getManifest("a/../../b", "v1")).rejects.toMatchObject({
    code: "invalid-reference",
  });
  await expect(client.getManifest("a", "../v1")).rejects.toMatchObject({
    code: "invalid-reference",
  });
  server.verify();
});

test("tags come from all pages", async () => {
  await using server = await startScriptedServer([
    answer(
      "GET /v2/a/tags/list?n=1000",
      200,
      { link: '</v2/a/tags/list?last=v2&n=2>; rel="next"' },
      '{"tags":["v1","v2"]}',
    ),
    answer("GET /v2/a/tags/list?last=v2&n=2", 200, {}, '{"tags":["v3"]}'),
  ]);
  await using client = connect(server);
  expect(await client.listTags("a")).toEqual(["v1", "v2", "v3"]);
  server.verify();
});

test("a repository that is not there has no tags, and deleting nothing is no error", async () => {
  await using server = await startScriptedServer([
    answer("GET /v2/a/tags/list?n=1000", 404),
    answer(`DELETE /v2/a/manifests/${digest}`, 404),
    answer("HEAD /v2/a/manifests/v1", 404),
  ]);
  await using client = connect(server);
  expect(await client.listTags("a")).toEqual([]);
  expect(await client.deleteManifest("a", digest)).toBe(false);
  expect(await client.headManifest("a", "v1")).toBeUndefined();
  server.verify();
});

test("passing trouble is retried with growing delays, a refusal is not", async () => {
  const clock = new FakeClock();
  await using server = await startScriptedServer([
    answer("HEAD /v2/a/manifests/v1", 502),
    answer("HEAD /v2/a/manifests/v1", 522),
    answer("HEAD /v2/a/manifests/v1", 200, { "docker-content-digest": digest }),
    answer("HEAD /v2/a/manifests/v2", 400),
  ]);
  await using client = connect(server, clock);
  expect(await client.headManifest("a", "v1")).toMatchObject({ digest });
  expect(clock.sleepsMs).toEqual([500, 1000]);
  await expect(client.headManifest("a", "v2")).rejects.toMatchObject({
    code: "refused",
    status: 400,
  });
  server.verify();
});

test("a warning is told once", async () => {
  const events: RegistryEvent[] = [];
  await using server = await startScriptedServer([
    answer("HEAD /v2/a/manifests/v1", 200, { warning: '299 - "tag is old"' }),
    answer("HEAD /v2/a/manifests/v1", 200, { warning: '299 - "tag is old"' }),
  ]);
  await using client = createRegistryClient({
    registry: server.host,
    onEvent: (event) => events.push(event),
  });
  await client.headManifest("a", "v1");
  await client.headManifest("a", "v1");
  expect(events).toEqual([{ type: "registry-warning", host: server.host, text: "tag is old" }]);
});

const subject = { mediaType: mediaTypes.imageManifest, digest, size: bytes.byteLength };
const referrersTag = digest.replace(":", "-");

test("where the registry keeps no referrers, their tag is kept up", async () => {
  const artifact = render({
    layers: [],
    subject,
    artifactType: "application/x",
    annotations: { a: "b" },
  });
  const other = {
    mediaType: mediaTypes.imageManifest,
    digest: digestOf("other"),
    size: 5,
    artifactType: "other",
  };
  const index = { schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: [other] };
  const entry = {
    mediaType: mediaTypes.imageManifest,
    digest: digestOf(artifact),
    size: artifact.byteLength,
    artifactType: "application/x",
    annotations: { a: "b" },
  };
  let stored = "";
  await using server = await startScriptedServer([
    answer("PUT /v2/a/manifests/snapshot", 201),
    answer(`GET /v2/a/manifests/${referrersTag}`, 200, {}, JSON.stringify(index)),
    {
      expect: `PUT /v2/a/manifests/${referrersTag}`,
      respond: async ({ request, response, body }) => {
        expect(request.headers["content-type"]).toBe(mediaTypes.imageIndex);
        stored = (await body()).toString();
        response.writeHead(201).end();
      },
    },
  ]);
  await using client = connect(server);
  await client.putManifest("a", "snapshot", artifact, mediaTypes.imageManifest);
  expect(JSON.parse(stored)).toEqual({ ...index, manifests: [other, entry] });
  server.verify();
});

test("where the registry keeps referrers, nothing is added", async () => {
  await using server = await startScriptedServer([
    answer("PUT /v2/a/manifests/snapshot", 201, { "oci-subject": digest }),
  ]);
  await using client = connect(server);
  await client.putManifest(
    "a",
    "snapshot",
    render({ layers: [], subject }),
    mediaTypes.imageManifest,
  );
  server.verify();
});

test("referrers come from the API, else from the tag, filtered by type", async () => {
  const manifests = ["x", "y"].map((artifactType) => ({
    mediaType: mediaTypes.imageManifest,
    digest: digestOf(artifactType),
    size: 1,
    artifactType,
  }));
  const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests });
  await using server = await startScriptedServer([
    answer(`GET /v2/a/referrers/${digest}?artifactType=x`, 200, {}, index),
    answer(`GET /v2/a/referrers/${digest}?artifactType=y`, 404),
    answer(`GET /v2/a/manifests/${referrersTag}`, 200, {}, index),
    answer(`GET /v2/a/referrers/${digest}`, 404),
    answer(`GET /v2/a/manifests/${referrersTag}`, 404),
  ]);
  await using client = connect(server);
  expect(await client.referrers("a", digest, { artifactType: "x" })).toEqual([manifests[0]]);
  expect(await client.referrers("a", digest, { artifactType: "y" })).toEqual([manifests[1]]);
  expect(await client.referrers("a", digest)).toEqual([]);
  server.verify();
});
