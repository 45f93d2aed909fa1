// CRIU believes its cache: one of another kernel, or half of one, would make it do what this kernel cannot.
import { chmod, mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { keepKernelCache } from "../../../../runtime/snapshot/kernel-cache.ts";

const { signal } = new AbortController();
const isOnTmpfs = (await statfs(tmpdir())).type === 0x01021994;
let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-kernel-cache-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function criu(script: string): Promise<string> {
  const path = join(directory, "criu");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

it.skipIf(isOnTmpfs)(
  "removes a cache of an earlier kernel when CRIU makes none on this one",
  async () => {
    const file = join(directory, "criu.kdat");
    await writeFile(file, "of another kernel");
    await keepKernelCache({ criu: await criu("exit 1"), file, signal });
    expect(await readdir(directory)).toEqual(["criu"]);
  },
);

it("leaves a file alone that CRIU keeps by itself, on a tmpfs", async () => {
  const file = `/dev/shm/byom-test-${process.pid}.kdat`;
  await writeFile(file, "CRIU's own");
  try {
    await keepKernelCache({ criu: await criu("exit 1"), file, signal });
    expect(await readFile(file, "utf8")).toBe("CRIU's own");
  } finally {
    await rm(file, { force: true });
  }
});

it.runIf(process.getuid?.() === 0 && !isOnTmpfs)(
  "replaces it whole by what CRIU found out now",
  async () => {
    const file = join(directory, "criu.kdat");
    await writeFile(file, "of another kernel");
    await keepKernelCache({ criu: await criu("printf found >/run/criu.kdat"), file, signal });
    expect(await readFile(file, "utf8")).toBe("found");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readdir(directory)).toSorted()).toEqual(["criu", "criu.kdat"]);
  },
);
