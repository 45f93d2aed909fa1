import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { fileRetentionMs, fileUrlLifetimeMs } from "../../../../gateway/limits.ts";
import { openFileStore, type FileStore } from "../../../../gateway/prediction/files.ts";

// Files of callers and models lie on the platform's disk. When this fails, the disk fills up, a link shows somebody
// else's file, or an image that was paid for is gone.

let directory = "";
let now = Date.parse("2026-11-23T12:00:00Z");
let ids = 0;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-files-"));
  now = Date.parse("2026-11-23T12:00:00Z");
  ids = 0;
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const open = (bytesMax?: number): FileStore =>
  openFileStore({
    directory: join(directory, "files"),
    secretPath: join(directory, "secret"),
    idSource: () => `f${(ids += 1)}`,
    clock: () => now,
    ...(bytesMax === undefined ? {} : { bytesMax }),
  });
const file = (name: string, sizeBytes = 10) => ({
  name,
  contentType: "text/plain",
  bytes: Buffer.alloc(sizeBytes, name),
});
const image = `data:image/png;base64,${Buffer.alloc(8_000, 7).toString("base64")}`;
const query = (url: string): URLSearchParams => new URL(url).searchParams;

describe("the store", () => {
  it("never holds more than its bound: the oldest files go", async () => {
    const files = open(100);
    for (const name of ["a", "b", "c", "d"]) await files.save(file(name, 40));
    expect(files.list().map(({ name }) => name)).toEqual(["d", "c"]);
    expect((await readdir(join(directory, "files"))).toSorted()).toEqual([
      "f3.content",
      "f3.json",
      "f4.content",
      "f4.json",
    ]);
  });

  it("forgets files after their time, while it runs and when it opens", async () => {
    const files = open();
    await files.save(file("old"));
    now += fileRetentionMs - 1;
    await files.save(file("new"));
    now += 1;
    expect([files.get("f1"), files.list().length]).toEqual([undefined, 1]);
    await files.prune();
    expect(await readdir(join(directory, "files"))).toHaveLength(2);
    now += fileRetentionMs;
    expect(open().list()).toEqual([]);
    expect(await readdir(join(directory, "files"))).toEqual([]);
  });

  it("finds complete files again after a crash, and drops half-written ones", async () => {
    await open().save({ ...file("kept"), metadata: { page: 1 }, keyId: "key-1" });
    await writeFile(join(directory, "files", "half.content"), "x");
    await writeFile(join(directory, "files", "torn.json"), '{"id":');
    await writeFile(join(directory, "files", "lone.json"), JSON.stringify({ id: "lone" }));
    const files = open();
    expect(files.list()).toMatchObject([
      {
        name: "kept",
        metadata: { page: 1 },
        keyId: "key-1",
        sha256: expect.stringMatching(/^\w{64}$/),
      },
    ]);
    expect(await readdir(join(directory, "files"))).toHaveLength(2);
  });

  it("keeps no content type that could break out of a header", async () => {
    const files = open();
    const saved = await files.save({ ...file("x"), contentType: "text/html\r\nset-cookie: a=b" });
    expect(saved.contentType).toBe("application/octet-stream");
  });
});

describe("a signed URL", () => {
  it("opens one file until it expires, also after a restart, and no other one", async () => {
    const files = open();
    const { id, url } = await files.publish(image, { baseUrl: "https://models.example.com" });
    expect(url).toMatch(
      /^https:\/\/models\.example\.com\/v1\/files\/f1\/content\?expires=\d+&signature=/,
    );
    expect(files.get(id)).toMatchObject({ contentType: "image/png", sizeBytes: 8_000 });
    expect(open().verify(id, query(url))).toBe(true);
    expect(files.verify("f2", query(url))).toBe(false);
    const later = query(url);
    later.set("expires", String(Number(later.get("expires")) + 1));
    expect(files.verify(id, later)).toBe(false);
    expect(files.verify(id, new URLSearchParams())).toBe(false);
    now += fileUrlLifetimeMs + 1_000;
    expect(files.verify(id, query(url))).toBe(false);
  });

  it("is not made of anything but a data URI", async () => {
    await expect(open().publish("https://x/y.png", { baseUrl: "" })).rejects.toMatchObject({
      code: "upstream_failed",
    });
  });
});

describe("an output", () => {
  it("leaves its large files in the store, once each, and shows them as URLs", async () => {
    const files = open();
    const output = { images: [image, image], note: "data: is not a file", small: "data:,x", n: 1 };
    const kept = files.detach(output, "p1") as typeof output;
    expect(JSON.stringify(kept).length).toBeLessThan(400);
    expect(files.detach(output, "p1")).toEqual(kept);
    expect(files.detach(kept, "p1")).toBe(kept);
    expect(await readdir(join(directory, "files"))).toHaveLength(2);
    expect(kept).toMatchObject({ note: output.note, small: "data:,x", n: 1 });
    expect(files.list()).toEqual([]);
    const shown = open().attach(kept, "http://x") as typeof output;
    expect(shown.images[0]).toMatch(/^http:\/\/x\/v1\/files\/[\w-]{40}\/content\?expires=/);
    expect(shown.note).toBe(output.note);
  });

  it("of another prediction is another file, so that its URL and its end are its own", () => {
    const files = open();
    expect(files.detach(image, "p1")).not.toBe(files.detach(image, "p2"));
  });

  it("reaches another model as its content when its URL is an input", async () => {
    const files = open();
    const kept = files.detach(image, "p1");
    const url = String(files.attach(kept, "http://x"));
    expect(
      await files.inline({ image: url, other: "http://x/v1/files/none", list: [url] }),
    ).toEqual({
      image,
      other: "http://x/v1/files/none",
      list: [image],
    });
  });

  it("stays in the record when the disk is full", async () => {
    const files = open();
    await rm(join(directory, "files"), { recursive: true });
    expect(files.detach(image, "p1")).toBe(image);
  });
});
