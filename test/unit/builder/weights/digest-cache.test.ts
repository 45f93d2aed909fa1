import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FileStamp } from "../../../../builder/layer/file-stamp.ts";
import type { LayerEntry } from "../../../../builder/layer/layer.ts";
import { openBuilderStore } from "../../../../builder/store.ts";
import { createDigestCache, isRacy } from "../../../../builder/weights/digest-cache.ts";

let dataDirectory: string;

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "byom-test-cache-"));
});

afterEach(async () => {
  await rm(dataDirectory, { recursive: true, force: true });
});

const msNs = 1_000_000n;
const writtenNs = 1_700_000_000_123_456_789n;
const digest = `sha256:${"d".repeat(64)}` as const;

const stamp: FileStamp = {
  device: 1n,
  inode: 2n,
  sizeBytes: 3,
  modifiedNs: writtenNs,
  changedNs: writtenNs,
};

function entry(changes: Partial<FileStamp> = {}): LayerEntry {
  const file = "/repo/weights.bin";
  return {
    kind: "file",
    path: "src/weights.bin",
    file,
    isExecutable: false,
    stamp: { ...stamp, ...changes },
  };
}

test("the next process finds what the last one hashed", () => {
  {
    using store = openBuilderStore({ dataDirectory });
    const startedAtNs = writtenNs + 1_000n * msNs;
    createDigestCache({ store }).remember({ entries: [entry()], digest, startedAtNs });
  }
  using store = openBuilderStore({ dataDirectory });
  expect(createDigestCache({ store }).find([entry()])).toBe(digest);
});

test("any sign of a change, or another place in the image, means that the file is read again", () => {
  using store = openBuilderStore({ dataDirectory });
  const cache = createDigestCache({ store });
  cache.remember({ entries: [entry()], digest, startedAtNs: writtenNs + 1_000n * msNs });
  const changed: LayerEntry[] = [
    entry({ device: 9n }),
    entry({ inode: 9n }),
    entry({ sizeBytes: 9 }),
    entry({ modifiedNs: writtenNs + 1n }),
    // What `touch -d` cannot hide: the time of the last change of the inode.
    entry({ changedNs: writtenNs + 1n }),
    { ...entry(), path: "src/other.bin" },
    { kind: "link", path: "src/weights.bin", target: "x" },
  ];
  expect(changed.map((one) => cache.find([one]))).toEqual(changed.map(() => undefined));
  expect(
    cache.find([entry(), { kind: "bytes", path: "src/x", bytes: Buffer.alloc(0) }]),
  ).toBeUndefined();
});

test("a file that was written just before it was hashed is not trusted: its next write may look the same", () => {
  using store = openBuilderStore({ dataDirectory });
  const cache = createDigestCache({ store });
  cache.remember({ entries: [entry()], digest, startedAtNs: writtenNs + 10n * msNs });
  expect(cache.find([entry()])).toBeUndefined();
});

test("file systems that keep whole seconds get two of them", () => {
  const whole = {
    ...stamp,
    modifiedNs: 1_700_000_000_000_000_000n,
    changedNs: 1_700_000_000_000_000_000n,
  };
  const racyAfter = (one: FileStamp, ms: bigint): boolean =>
    isRacy({ stamp: one, startedAtNs: one.changedNs + ms * msNs });
  expect([racyAfter(stamp, 51n), racyAfter(whole, 1_900n), racyAfter(whole, 2_001n)]).toEqual([
    false,
    true,
    false,
  ]);
});

test("a clock behind the file's time trusts nothing", () => {
  expect(isRacy({ stamp, startedAtNs: writtenNs - 3_600_000n * msNs })).toBe(true);
});
