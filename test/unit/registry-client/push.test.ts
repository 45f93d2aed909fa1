import { expect, test } from "vitest";
import { forEachBounded } from "../../../registry-client/bounded.ts";
import {
  blobFromBytes,
  createRegistryClient,
  digestOf,
  mediaTypes,
  pushImage,
} from "../../../registry-client/index.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { answer, startScriptedServer, type Step } from "../../support/scripted-server.ts";

// What a user loses when these fail: a tag that names an image with holes, or a push that is slow for nothing.

const layer = blobFromBytes(Buffer.from("layer"), { mediaType: mediaTypes.layerTar });
const configBytes = Buffer.from('{"architecture":"amd64"}');
const configDigest = digestOf(configBytes);
const manifestBytes = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.imageManifest,
    config: {
      mediaType: mediaTypes.imageConfig,
      digest: configDigest,
      size: configBytes.byteLength,
    },
    layers: [layer.descriptor],
  }),
);
const digest = digestOf(manifestBytes);
const headManifest = `HEAD /v2/a/manifests/${digest}`;
const headTag = "HEAD /v2/a/manifests/v1";
const known = [
  answer(`HEAD /v2/a/blobs/${layer.descriptor.digest}`, 200),
  answer(`HEAD /v2/a/blobs/${configDigest}`, 200),
];

function stores(name: string, status = 201, body = ""): Step {
  return {
    expect: `PUT /v2/a/manifests/${name}`,
    respond: async (exchange) => {
      expect((await exchange.body()).equals(manifestBytes)).toBe(true);
      exchange.response.writeHead(status).end(body);
    },
  };
}

function options(host: string): Parameters<typeof pushImage>[0] {
  const client = createRegistryClient({ registry: host, clock: new FakeClock() });
  return { client, repository: "a", tag: "v1", configBytes, layers: [layer], uploadConcurrency: 1 };
}

test("blobs first, then the manifest by digest, then the tag", async () => {
  await using server = await startScriptedServer([
    answer(headManifest, 404),
    ...known,
    stores(digest),
    answer(headTag, 404),
    stores("v1"),
  ]);
  const image = await pushImage(options(server.host));
  expect(image).toMatchObject({
    digest,
    uploadedBytes: 0,
    skippedBytes: 5 + configBytes.byteLength,
  });
  expect(image.reference).toBe(`${server.host}/a:v1@${digest}`);
  server.verify();
});

test("an image that is there already costs two requests", async () => {
  await using server = await startScriptedServer([
    answer(headManifest, 200),
    answer(headTag, 200, { "docker-content-digest": digest }),
  ]);
  await pushImage(options(server.host));
  server.verify();
});

test("a tag that names another image is moved", async () => {
  await using server = await startScriptedServer([
    answer(headManifest, 200),
    answer(headTag, 200, { "docker-content-digest": digestOf("old") }),
    stores("v1"),
  ]);
  await pushImage(options(server.host));
  server.verify();
});

test("a blob that garbage collection took in between is looked for once more", async () => {
  const unknown = '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown"}]}';
  await using server = await startScriptedServer([
    answer(headManifest, 404),
    ...known,
    stores(digest, 404, unknown),
    ...known,
    stores(digest),
    answer(headTag, 404),
    stores("v1"),
  ]);
  await pushImage(options(server.host));
  server.verify();
});

test("a layer that was said to be there and is not stops the push before any manifest", async () => {
  await using server = await startScriptedServer([
    answer(headManifest, 404),
    answer(`HEAD /v2/a/blobs/${layer.descriptor.digest}`, 404),
  ]);
  const failure = pushImage({ ...options(server.host), layers: [layer.descriptor] });
  await expect(failure).rejects.toMatchObject({
    code: "missing-blob",
    hint: expect.stringContaining("build again"),
  });
  server.verify();
});

test("never more at once than allowed; the first failure stops the rest and is thrown when all have ended", async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  const failed = new Error("third");
  const work = forEachBounded([0, 1, 2, 3, 4, 5, 6, 7], { concurrency: 2 }, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    if (item === 2) throw failed;
    done.push(item);
  });
  await expect(work).rejects.toBe(failed);
  expect({ most, running }).toEqual({ most: 2, running: 0 });
  expect(done.length).toBeLessThan(5);
});
