import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findEnvironmentLayers } from "../../../../builder/docker/environment-layers.ts";
import { loadIntoEngine } from "../../../../builder/index.ts";
import type { BuilderEvent, Image } from "../../../../builder/index.ts";
import { openBuilderStore } from "../../../../builder/store.ts";
import { blobFromBytes, digestOf } from "../../../../registry-client/index.ts";
import type { Digest } from "../../../../registry-client/index.ts";
import { json, startFakeEngine } from "../../../support/fake-engine.ts";

let dataDirectory: string;

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "byom-test-load-"));
});

afterEach(async () => {
  await rm(dataDirectory, { recursive: true, force: true });
});

const environmentDiffId = digestOf("environment layer");

function imageOf(layers: readonly string[]): Image {
  const configBytes = Buffer.from(JSON.stringify({ layers }));
  return {
    name: "cog-test:latest",
    id: digestOf(configBytes),
    configBytes,
    environment: {
      key: "k",
      reference: "byom-environment:k",
      imageId: digestOf("environment"),
      diffIds: [environmentDiffId],
    },
    layers: layers.map((content) => ({
      kind: "code",
      source: blobFromBytes(Buffer.from(content), {
        mediaType: "application/vnd.oci.image.layer.v1.tar",
      }),
      createdBy: "test",
    })),
    weightsDigest: digestOf(""),
    labels: {},
  };
}

function inspected(options: { id: Digest; diffIds: readonly Digest[] }): unknown {
  const { id, diffIds } = options;
  return { Id: id, Os: "linux", Architecture: "amd64", RootFS: { Layers: diffIds }, Config: null };
}

/** Reads a load archive into a map of its files. */
async function readArchive(stream: AsyncIterable<Uint8Array>): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const archive = extract();
  const piped = (async () => {
    for await (const piece of stream) archive.write(piece);
    archive.end(undefined);
  })();
  for await (const entry of archive) {
    const pieces: Uint8Array[] = [];
    for await (const piece of entry) pieces.push(piece as Uint8Array);
    files.set(entry.header.name, Buffer.concat(pieces));
  }
  await piped;
  return files;
}

const blob = (content: string): string => `blobs/sha256/${digestOf(content).slice(7)}`;

test("an engine that has the image under its name is left alone", async () => {
  const image = imageOf(["weights", "code"]);
  await using fake = await startFakeEngine({
    "GET /images/cog-test:latest/json": (_request, response) =>
      json(response, inspected({ id: image.id, diffIds: [] })),
  });
  using store = openBuilderStore({ dataDirectory });
  const events: BuilderEvent[] = [];
  await loadIntoEngine({
    engine: fake.engine,
    image,
    store,
    onEvent: (event) => events.push(event),
  });
  expect(events).toMatchObject([{ type: "image-load-end", isCached: true }]);
  expect(fake.calls).toEqual(["GET /images/cog-test:latest/json"]);
});

test("after a code edit only the code travels: weights that the last build brought stay at home", async () => {
  const before = imageOf(["weights", "old code"]);
  const image = imageOf(["weights", "new code"]);
  let present = before;
  let files = new Map<string, Buffer>();
  await using fake = await startFakeEngine({
    "GET /info": (_request, response) =>
      json(response, { DriverStatus: [["Backing Filesystem", "extfs"]] }),
    "GET /images/cog-test:latest/json": (_request, response) => {
      const diffIds = [
        environmentDiffId,
        ...present.layers.map(({ source }) => source.descriptor.digest),
      ];
      json(response, inspected({ id: present.id, diffIds }));
    },
    "POST /images/load": async (request, response) => {
      files = await readArchive(request);
      present = image;
      response.end();
    },
  });
  using store = openBuilderStore({ dataDirectory });
  await loadIntoEngine({ engine: fake.engine, image, store });
  expect([...files.keys()].toSorted()).toEqual(
    [blob("new code"), `blobs/sha256/${image.id.slice(7)}`, "manifest.json"].toSorted(),
  );
  expect(files.get(blob("new code"))?.toString()).toBe("new code");
  expect(JSON.parse(files.get("manifest.json")?.toString() ?? "")).toEqual([
    {
      Config: `blobs/sha256/${image.id.slice(7)}`,
      RepoTags: ["cog-test:latest"],
      Layers: [blob("environment layer"), blob("weights"), blob("new code")],
    },
  ]);
  expect(fake.unexpected).toEqual([]);
});

test("an engine that lost the layers of the last build gets all of them in a second try", async () => {
  const before = imageOf(["weights", "old code"]);
  const image = imageOf(["weights", "new code"]);
  const tries: string[][] = [];
  await using fake = await startFakeEngine({
    "GET /info": (_request, response) => json(response, {}),
    "GET /images/cog-test:latest/json": (_request, response) => {
      const diffIds = [
        environmentDiffId,
        ...before.layers.map(({ source }) => source.descriptor.digest),
      ];
      json(response, inspected({ id: before.id, diffIds }));
    },
    "POST /images/load": async (request, response) => {
      tries.push([...(await readArchive(request)).keys()]);
      const error = "open blobs/sha256/…: no such file or directory";
      response.end(tries.length === 1 ? `${JSON.stringify({ error })}\n` : "");
    },
  });
  using store = openBuilderStore({ dataDirectory });
  await loadIntoEngine({ engine: fake.engine, image, store });
  expect(tries.map((files) => files.includes(blob("weights")))).toEqual([false, true]);
});

test("an engine that refuses the image is quoted", async () => {
  await using fake = await startFakeEngine({
    "GET /info": (_request, response) => json(response, {}),
    "GET /images/cog-test:latest/json": (_request, response) =>
      json(response, { message: "no" }, 404),
    "POST /images/load": async (request, response) => {
      await readArchive(request);
      response.end(`${JSON.stringify({ error: "no space left on device" })}\n`);
    },
  });
  using store = openBuilderStore({ dataDirectory });
  await expect(
    loadIntoEngine({ engine: fake.engine, image: imageOf(["code"]), store }),
  ).rejects.toMatchObject({
    code: "IMAGE_LOAD",
    message: expect.stringContaining("no space left on device"),
  });
});

/** What `docker save` of an engine with the containerd store holds: compressed layers, an index within an index. */
function savedByContainerd(): { archive: AsyncIterable<Uint8Array>; layer: Buffer } {
  const layer = gzipSync("environment layer");
  const config = Buffer.from("{}");
  const descriptor = (bytes: Buffer, mediaType: string): object => {
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: descriptor(config, "application/vnd.oci.image.config.v1+json"),
      layers: [descriptor(layer, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
    }),
  );
  const attestation = Buffer.from(JSON.stringify({ layers: [] }));
  const inner = Buffer.from(
    JSON.stringify({
      manifests: [
        { ...descriptor(attestation, "m"), platform: { os: "unknown", architecture: "unknown" } },
        { ...descriptor(manifest, "m"), platform: { os: "linux", architecture: "amd64" } },
      ],
    }),
  );
  const archive = pack();
  for (const bytes of [layer, config, manifest, attestation, inner])
    archive.entry({ name: `blobs/sha256/${digestOf(bytes).slice(7)}` }, bytes);
  const index = JSON.stringify({ manifests: [descriptor(inner, "i")] });
  archive.entry({ name: "index.json" }, index);
  archive.finalize();
  return { archive: archive as unknown as AsyncIterable<Uint8Array>, layer };
}

test("the containerd store gets an OCI layout whose manifest names the compressed layers that it has", async () => {
  const image = imageOf(["code"]);
  const { archive, layer } = savedByContainerd();
  let isLoaded = false;
  let files = new Map<string, Buffer>();
  await using fake = await startFakeEngine({
    "GET /info": (_request, response) =>
      json(response, { DriverStatus: [["driver-type", "io.containerd.snapshotter.v1"]] }),
    "GET /images/cog-test:latest/json": (_request, response) => {
      const present = inspected({ id: digestOf("its manifest"), diffIds: [] });
      json(response, isLoaded ? present : { message: "no" }, isLoaded ? 200 : 404);
    },
    "GET /images/byom-environment:k/get": async (_request, response) => {
      for await (const piece of archive) response.write(piece);
      response.end();
    },
    "POST /images/load": async (request, response) => {
      files = await readArchive(request);
      isLoaded = true;
      response.end();
    },
  });
  using store = openBuilderStore({ dataDirectory });
  await loadIntoEngine({ engine: fake.engine, image, store });
  const [entry] = (
    JSON.parse(files.get("index.json")?.toString() ?? "") as {
      manifests: { digest: Digest; annotations: Record<string, string> }[];
    }
  ).manifests;
  expect(entry?.annotations["io.containerd.image.name"]).toBe("docker.io/library/cog-test:latest");
  const manifest: unknown = JSON.parse(
    files.get(`blobs/sha256/${entry?.digest.slice(7)}`)?.toString() ?? "",
  );
  expect(manifest).toMatchObject({
    config: { digest: image.id },
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: digestOf(layer),
        size: layer.length,
      },
      { digest: digestOf("code") },
    ],
  });
  expect(files.has(`blobs/sha256/${digestOf(layer).slice(7)}`)).toBe(false);

  // That store shows the manifest's digest as ID; byom remembers it, so that a second build does nothing.
  fake.calls.length = 0;
  await loadIntoEngine({ engine: fake.engine, image, store });
  expect(fake.calls).toEqual(["GET /images/cog-test:latest/json"]);
});

test("an export that breaks off is an error, never a shorter list of layers", async () => {
  await using fake = await startFakeEngine({
    "GET /images/byom-environment:k/get": (_request, response) => {
      response.write(Buffer.alloc(700, 1));
      setTimeout(() => response.destroy(), 20);
    },
  });
  using store = openBuilderStore({ dataDirectory });
  const { environment } = imageOf([]);
  await expect(
    findEnvironmentLayers({ engine: fake.engine, environment, store }),
  ).rejects.toThrow();
  expect(store.find("environment-layers", environment.imageId)).toBeUndefined();
});
