import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  basicCredentials,
  blobFromBytes,
  copyImage,
  createRegistryClient,
  digestOf,
  mediaTypes,
  pullImage,
  pushImage,
  type BlobSource,
  type RegistryClient,
} from "../../../registry-client/index.ts";
import {
  basicAuthUser,
  findProgram,
  startRegistry,
  whyNoRegistry,
  type TestRegistry,
} from "../../support/registry.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { startCuttingProxy } from "../../support/cutting-proxy.ts";
import { readAll } from "../../support/read-all.ts";
import { startTokenServer } from "../../support/token-server.ts";

/*
 * The client against CNCF Distribution, with skopeo as second opinion: what we push others can read bit for bit,
 * what others push we can read, and the registry's own ways (sessions that die with their connection, no
 * referrers, Basic and token authorization) are met.
 */

const run = promisify(execFile);
const credentials = basicCredentials(basicAuthUser.username, basicAuthUser.password);
const isWithoutSkopeo = findProgram("skopeo") === undefined;
if (isWithoutSkopeo)
  console.warn("skipped the cross-check: skopeo is not on PATH (apt-get install skopeo)");
const isWithoutOpenssl = findProgram("openssl") === undefined;
if (isWithoutOpenssl)
  console.warn("skipped token authorization: openssl is not on PATH (apt-get install openssl)");

/** An image of random layers with a config that other tools accept. */
function makeImage(sizes: readonly number[]): { layers: BlobSource[]; configBytes: Buffer } {
  const contents = sizes.map((size) => randomBytes(size));
  const layers = contents.map((bytes) => blobFromBytes(bytes, { mediaType: mediaTypes.layerTar }));
  const configBytes = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
      history: layers.map(() => ({ created_by: "test" })),
    }),
  );
  return { layers, configBytes };
}

async function hashOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

describe.skipIf(whyNoRegistry() !== undefined)("CNCF Distribution", () => {
  let registry: TestRegistry;
  let client: RegistryClient;
  let directory = "";

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "byom-registry-client-"));
    registry = await startRegistry();
    client = createRegistryClient({ registry: registry.host });
  });

  afterAll(async () => {
    await client?.close();
    await registry?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test("pushes, skips, mounts, and reads back the same bytes", async () => {
    const image = makeImage([3_000_000, 1, 70_000]);
    const bytes = 3_070_001 + image.configBytes.byteLength;
    const first = await pushImage({ client, repository: "o/model", tag: "v1", ...image });
    expect(first).toMatchObject({ uploadedBytes: bytes, skippedBytes: 0, mountedBytes: 0 });
    const again = await pushImage({ client, repository: "o/model", tag: "v2", ...image });
    expect(again).toMatchObject({ digest: first.digest, uploadedBytes: 0, skippedBytes: bytes });
    const tuned = await pushImage({
      client,
      repository: "o/tuned",
      tag: "v1",
      mountFrom: "o/model",
      ...image,
    });
    expect(tuned).toMatchObject({ digest: first.digest, uploadedBytes: 0, mountedBytes: bytes });
    expect((await client.listTags("o/model")).toSorted()).toEqual(["v1", "v2"]);

    const pulled = await pullImage({ client, repository: "o/tuned", reference: "v1" });
    expect(pulled.digest).toBe(first.digest);
    expect(Buffer.from(pulled.configBytes).equals(image.configBytes)).toBe(true);
    for (const layer of pulled.layers)
      expect(await hashOf(layer.open())).toBe(layer.descriptor.digest);
    const rest = await readAll(
      client.getBlob("o/tuned", image.layers[0]!.descriptor, { offset: 2_999_990 }),
    );
    expect(rest.byteLength).toBe(10);
  });

  test.skipIf(isWithoutSkopeo)(
    "skopeo copies our image out with equal digests, and we read what skopeo pushes",
    async () => {
      const image = makeImage([500_000, 20]);
      const pushed = await pushImage({ client, repository: "o/ours", tag: "v1", ...image });
      const out = join(directory, "ours");
      const flags = ["--insecure-policy", "copy", "--preserve-digests"];
      await run("skopeo", [
        ...flags,
        "--src-tls-verify=false",
        `docker://${registry.host}/o/ours:v1`,
        `dir:${out}`,
      ]);
      expect(digestOf(await readFile(join(out, "manifest.json")))).toBe(pushed.digest);
      for (const { descriptor } of image.layers) {
        expect(digestOf(await readFile(join(out, descriptor.digest.slice(7))))).toBe(
          descriptor.digest,
        );
      }
      await run("skopeo", [
        ...flags,
        "--dest-tls-verify=false",
        `dir:${out}`,
        `docker://${registry.host}/o/theirs:v1`,
      ]);
      const pulled = await pullImage({ client, repository: "o/theirs", reference: "v1" });
      expect(pulled.digest).toBe(pushed.digest);
    },
  );

  test("a stream of unknown length and digest becomes a layer", async () => {
    const chunks = Array.from({ length: 40 }, () => randomBytes(100_000));
    const stream = (async function* () {
      for (const chunk of chunks) yield chunk;
    })();
    const descriptor = await client.pushBlobStream("o/stream", stream);
    expect(descriptor).toEqual({
      mediaType: mediaTypes.layerTar,
      digest: digestOf(Buffer.concat(chunks)),
      size: 4_000_000,
    });
    expect(await client.headBlob("o/stream", descriptor.digest)).toEqual({ sizeBytes: 4_000_000 });
    expect(await hashOf(client.getBlob("o/stream", descriptor))).toBe(descriptor.digest);
  });

  test("copies an index with its images to another registry without changing a byte", async () => {
    await using other = await startRegistry();
    await using target = createRegistryClient({ registry: other.host });
    const image = makeImage([200_000]);
    const pushed = await pushImage({ client, repository: "o/multi", ...image });
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.imageIndex,
        manifests: [
          {
            mediaType: mediaTypes.imageManifest,
            digest: pushed.digest,
            size: pushed.manifestBytes.byteLength,
            platform: { os: "linux", architecture: "amd64" },
          },
        ],
      }),
    );
    await client.putManifest("o/multi", "v1", index, mediaTypes.imageIndex);
    const copied = await copyImage({
      from: { client, repository: "o/multi", reference: "v1" },
      to: { client: target, repository: "copy", tag: "v1" },
    });
    expect(copied).toMatchObject({
      digest: digestOf(index),
      uploadedBytes: 200_000 + image.configBytes.byteLength,
    });
    const pulled = await pullImage({ client: target, repository: "copy", reference: "v1" });
    expect(pulled.digest).toBe(pushed.digest);
    const arm = { os: "linux", architecture: "arm64" };
    const missing = pullImage({
      client: target,
      repository: "copy",
      reference: "v1",
      platform: arm,
    });
    await expect(missing).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("linux/arm64"),
    });
  });

  test("an artifact with a subject is found again although this registry keeps no referrers", async () => {
    const pushed = await pushImage({ client, repository: "o/subject", ...makeImage([10]) });
    const subject = {
      mediaType: mediaTypes.imageManifest,
      digest: pushed.digest,
      size: pushed.manifestBytes.byteLength,
    };
    const artifactType = "application/vnd.byom.test.v1+json";
    const artifact = await pushImage({
      client,
      repository: "o/subject",
      configBytes: Buffer.from("{}"),
      configMediaType: mediaTypes.empty,
      layers: [blobFromBytes(randomBytes(1000), { mediaType: "application/octet-stream" })],
      artifactType,
      subject,
    });
    const found = await client.referrers("o/subject", pushed.digest, { artifactType });
    expect(found).toMatchObject([{ digest: artifact.digest, artifactType }]);
    expect(await client.referrers("o/subject", pushed.digest, { artifactType: "other" })).toEqual(
      [],
    );
  });

  test("a connection cut in mid-upload costs this blob once more, and the image arrives whole", async () => {
    await using proxy = await startCuttingProxy(registry.host, 4_000_000);
    await using throughProxy = createRegistryClient({
      registry: proxy.host,
      retry: { baseDelayMs: 1 },
    });
    const source = blobFromBytes(randomBytes(12_000_000), { mediaType: mediaTypes.layerTar });
    const pieces: BlobSource = {
      descriptor: source.descriptor,
      async *open(options) {
        for await (const chunk of source.open(options)) {
          for (let at = 0; at < chunk.byteLength; at += 65_536)
            yield chunk.subarray(at, at + 65_536);
        }
      },
    };
    const { how, sentBytes } = await throughProxy.pushBlob("o/cut", pieces);
    expect(how).toBe("uploaded");
    expect(proxy.cuts).toBe(1);
    expect(sentBytes).toBeGreaterThan(12_000_000);
    expect(await hashOf(client.getBlob("o/cut", source.descriptor))).toBe(source.descriptor.digest);
  });

  test("pushing and pulling 256 MiB takes a fraction of that in memory", async () => {
    const script = join(import.meta.dirname, "../../support/push-large-blob.ts");
    const { stdout } = await run(process.execPath, [script, registry.host, "256"]);
    const result = JSON.parse(stdout) as { memoryGrowthKibibytes: number };
    expect(result).toMatchObject({ how: "uploaded", readBytes: 256 * 1024 * 1024 });
    expect(result.memoryGrowthKibibytes).toBeLessThan(112 * 1024);
  });

  test("deletes by digest; what is gone is gone", async () => {
    const pushed = await pushImage({ client, repository: "o/gone", tag: "v1", ...makeImage([5]) });
    expect(await client.deleteManifest("o/gone", pushed.digest)).toBe(true);
    expect(await client.headManifest("o/gone", "v1")).toBeUndefined();
    await expect(client.getManifest("o/gone", "v1")).rejects.toMatchObject({
      code: "not-found",
      problems: [{ code: "MANIFEST_UNKNOWN" }],
    });
  });

  test("an abort in mid-upload leaves no blob and passes its reason on", async () => {
    const controller = new AbortController();
    const reason = new Error("Ctrl-C");
    const source = blobFromBytes(randomBytes(1_000_000), { mediaType: mediaTypes.layerTar });
    const stopping: BlobSource = {
      descriptor: source.descriptor,
      async *open({ signal } = {}) {
        yield* source.open({ offset: 0 });
        controller.abort(reason);
        signal?.throwIfAborted();
      },
    };
    const half = { ...stopping, descriptor: { ...source.descriptor, size: 2_000_000 } };
    await expect(client.pushBlob("o/abort", half, { signal: controller.signal })).rejects.toBe(
      reason,
    );
    expect(await client.headBlob("o/abort", source.descriptor.digest)).toBeUndefined();
  });
});

describe.skipIf(whyNoRegistry() !== undefined)("authorization", () => {
  test("Basic (htpasswd): in with the password, out without, out with a wrong one", async () => {
    await using registry = await startRegistry({ hasBasicAuth: true });
    await using known = createRegistryClient({ registry: registry.host, credentials });
    await known.ping();
    const pushed = await pushImage({
      client: known,
      repository: "a/b",
      tag: "v1",
      ...makeImage([300_000]),
    });
    expect((await known.headManifest("a/b", "v1"))?.digest).toBe(pushed.digest);
    await using anonymous = createRegistryClient({ registry: registry.host });
    await expect(anonymous.ping()).rejects.toMatchObject({ code: "unauthorized" });
    const wrong = basicCredentials(basicAuthUser.username, "wrong");
    await using stranger = createRegistryClient({ registry: registry.host, credentials: wrong });
    await expect(stranger.listTags("a/b")).rejects.toMatchObject({
      code: "unauthorized",
      status: 401,
    });
  });

  test.skipIf(isWithoutOpenssl)(
    "TLS: with the registry's own authority, never without",
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "byom-tls-"));
      try {
        const tls = await makeCertificate(directory);
        await using registry = await startRegistry({ tls });
        const options = { registry: registry.host, isPlainHttp: false, retry: { tries: 1 } };
        await using trusting = createRegistryClient({
          ...options,
          certificateAuthority: tls.certificate,
        });
        await pushImage({
          client: trusting,
          repository: "a/b",
          tag: "v1",
          ...makeImage([100_000]),
        });
        await using careful = createRegistryClient(options);
        await expect(careful.ping()).rejects.toMatchObject({
          code: "connection-failed",
          hint: expect.stringContaining("certificate authority"),
        });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  );

  test.skipIf(isWithoutOpenssl)(
    "tokens: fetched per scope, replaced while a push goes on, refused in words",
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "byom-token-"));
      try {
        // Tokens that live for 2 s are replaced after 1.6 s: every long push meets an old one.
        await using tokens = await startTokenServer({ directory, lifeSeconds: 2 });
        await using registry = await startRegistry({ tokenAuth: tokens });
        await using known = createRegistryClient({ registry: registry.host, credentials });
        const image = makeImage([300_000, 200_000]);
        const pushed = await pushImage({
          client: known,
          repository: "public/m",
          tag: "v1",
          ...image,
        });
        await new Promise((resolve) => setTimeout(resolve, 2_500));
        const tuned = await pushImage({
          client: known,
          repository: "o/m",
          tag: "v1",
          mountFrom: "public/m",
          ...image,
        });
        expect(tuned).toMatchObject({ digest: pushed.digest, uploadedBytes: 0 });
        expect(tokens.granted).toContainEqual([
          "repository:o/m:pull,push",
          "repository:public/m:pull",
        ]);

        await using anonymous = createRegistryClient({ registry: registry.host });
        const pulled = await pullImage({
          client: anonymous,
          repository: "public/m",
          reference: "v1",
        });
        expect(await hashOf(pulled.layers[0]!.open())).toBe(image.layers[0]!.descriptor.digest);
        await expect(anonymous.getManifest("o/m", "v1")).rejects.toMatchObject({
          code: "unauthorized",
          message: expect.stringContaining("repository:o/m:pull"),
        });
        const wrong = basicCredentials("tester", "wrong");
        await using stranger = createRegistryClient({
          registry: registry.host,
          credentials: wrong,
        });
        await expect(stranger.getManifest("o/m", "v1")).rejects.toMatchObject({
          code: "unauthorized",
          problems: [{ code: "UNAUTHORIZED", message: "wrong password" }],
        });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  );
});
