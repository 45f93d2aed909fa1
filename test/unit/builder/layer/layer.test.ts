import { appendFile, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildLayer } from "../../../../builder/layer/build-layer.ts";
import { FileChangedError, LayerPathError } from "../../../../builder/layer/errors.ts";
import type { PlannedFile } from "../../../../builder/plan/plan.ts";
import type { BlobSource } from "../../../../registry-client/index.ts";
import { digestOf } from "../../../../registry-client/index.ts";
import type { DigestCache } from "../../../../builder/weights/digest-cache.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-test-layer-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const noCache: DigestCache = { find: () => undefined, remember: () => {} };

function file(path: string, sizeBytes = 0): PlannedFile {
  return { path, sizeBytes, isExecutable: false };
}

async function layerOf(
  files: readonly PlannedFile[],
  options: {
    cache?: DigestCache;
    extra?: { path: string; bytes: Buffer }[];
    signal?: AbortSignal;
  } = {},
): Promise<BlobSource> {
  return await buildLayer({
    name: "code",
    directory,
    root: "src",
    files,
    cache: noCache,
    ...options,
  });
}

async function bytesOf(source: BlobSource, offset = 0): Promise<Buffer> {
  return await buffer(Readable.from(source.open({ offset })));
}

async function namesIn(source: BlobSource): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Readable.from(source.open()).pipe(extract())) {
    names.push(entry.header.name);
    entry.resume();
  }
  return names;
}

test("the descriptor tells exactly the bytes that are read", async () => {
  await writeFile(join(directory, "run.py"), "print('hello')\n");
  const source = await layerOf([file("run.py")]);
  const bytes = await bytesOf(source);
  expect(source.descriptor).toEqual({
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: digestOf(bytes),
    size: bytes.length,
  });
});

test("an upload resumes at any offset: the rest is the same, read again as often as needed", async () => {
  await writeFile(join(directory, "weights.bin"), Buffer.alloc(3_000_000, 7));
  const source = await layerOf([file("weights.bin")]);
  const whole = await bytesOf(source);
  for (const offset of [1, 512, 1_500, 1_048_576, 2_999_999, whole.length - 1, whole.length]) {
    expect((await bytesOf(source, offset)).equals(whole.subarray(offset))).toBe(true);
  }
});

test("the order in which files were found and when they were written change nothing", async () => {
  await writeFile(join(directory, "a.py"), "a");
  await writeFile(join(directory, "b.py"), "b");
  const first = await layerOf([file("a.py"), file("b.py")]);
  await utimes(join(directory, "a.py"), new Date(), new Date());
  const second = await layerOf([file("b.py"), file("a.py")]);
  expect(second.descriptor).toEqual(first.descriptor);
});

test("each parent folder stands once and before what is in it", async () => {
  const extra = ["pkg/deep/a.py", "pkg/b.py", "run.py"].map((path) => ({
    path,
    bytes: Buffer.from("x"),
  }));
  expect(await namesIn(await layerOf([], { extra }))).toEqual([
    "src/",
    "src/pkg/",
    "src/pkg/b.py",
    "src/pkg/deep/",
    "src/pkg/deep/a.py",
    "src/run.py",
  ]);
});

test("the schema that byom writes takes the place of one that lies in the repo", async () => {
  const extra = [{ path: ".cog/openapi_schema.json", bytes: Buffer.from("{}") }];
  const source = await layerOf([file(".cog/openapi_schema.json")], { extra });
  expect(await namesIn(source)).toEqual(["src/", "src/.cog/", "src/.cog/openapi_schema.json"]);
});

test("symbolic links stay links, also to places outside the repo", async () => {
  const source = await layerOf([{ ...file("latest"), linkTarget: "/models/v2" }]);
  const headers = [];
  for await (const entry of Readable.from(source.open()).pipe(extract())) {
    headers.push(entry.header);
    entry.resume();
  }
  expect(headers.at(-1)).toMatchObject({
    name: "src/latest",
    type: "symlink",
    linkname: "/models/v2",
  });
});

test("a file written between hash and upload ends the upload and is named, instead of a wrong image", async () => {
  const path = join(directory, "weights.bin");
  await writeFile(path, Buffer.alloc(10_000));
  const source = await layerOf([file("weights.bin")]);
  await appendFile(path, "more");
  await expect(bytesOf(source)).rejects.toThrow(FileChangedError);
  await expect(bytesOf(source)).rejects.toThrow(path);
  await rm(path);
  await expect(bytesOf(source)).rejects.toThrow("it is gone");
});

test("a file written while it is read is noticed at its end", async () => {
  const path = join(directory, "weights.bin");
  await writeFile(path, Buffer.alloc(5_000_000));
  const source = await layerOf([file("weights.bin")]);
  const read = async (): Promise<void> => {
    let isFirst = true;
    for await (const _piece of source.open()) {
      if (isFirst) await utimes(path, new Date(0), new Date(0));
      isFirst = false;
    }
  };
  await expect(read()).rejects.toThrow(FileChangedError);
});

test("names that mean deletion in a layer, or that are not UTF-8, are refused by name", async () => {
  for (const path of ["data/.wh.model.bin", "na\u{FFFD}me.py"]) {
    await expect(layerOf([], { extra: [{ path, bytes: Buffer.alloc(0) }] })).rejects.toThrow(
      LayerPathError,
    );
  }
});

test("a known digest is taken over without reading a file", async () => {
  await writeFile(join(directory, "weights.bin"), "x");
  const digest = `sha256:${"a".repeat(64)}` as const;
  const cache: DigestCache = {
    find: () => digest,
    remember: () => {
      throw new Error("hashed although the digest was known");
    },
  };
  expect((await layerOf([file("weights.bin")], { cache })).descriptor.digest).toBe(digest);
});

test("an abort ends the hashing with its own reason", async () => {
  await writeFile(join(directory, "weights.bin"), "x");
  const reason = new Error("stopped by the test");
  await expect(layerOf([file("weights.bin")], { signal: AbortSignal.abort(reason) })).rejects.toBe(
    reason,
  );
});
