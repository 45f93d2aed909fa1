// A real snapshot, changed as somebody would who wants root on the host: each change alone must be refused, before CRIU
// and tar see it. If one is not, whoever can write to a registry owns the machines that pull from it.
import { execFileSync } from "node:child_process";
import { lstat, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { capabilitiesKept } from "../../../../runtime/engine/container-options.ts";
import { SnapshotDirectory } from "../../../../runtime/snapshot/directory.ts";
import { containerBounds } from "../../../../runtime/snapshot/verify/container.ts";
import { verifySnapshot } from "../../../../runtime/snapshot/verify/verify.ts";
import { cases, mountList, target } from "./hostile-cases.ts";
import { captureReal, whyNoSnapshots, type RealSnapshot } from "./real-snapshot.ts";

const signal = AbortSignal.timeout(170_000);
const skipReason = await whyNoSnapshots(signal);
if (skipReason !== undefined) console.log(`skipped: hostile snapshots: ${skipReason}`);

let real: RealSnapshot;

describe.skipIf(skipReason !== undefined)("a tampered snapshot", () => {
  beforeAll(async () => {
    real = await captureReal("byom-test-hostile", signal);
    expect(real.snapshot).toMatchObject({ status: "available" });
    target.home = path.join(real.directory, real.snapshot.id);
    target.images = path.join(target.home, "images");
    execFileSync("cp", ["-a", target.home, path.join(real.directory, ".whole")]);
  });

  afterAll(async () => {
    await real[Symbol.asyncDispose]();
  });

  it("is taken when nothing was changed", async () => {
    await whole();
    await verify();
  });

  it.each(cases)("is refused for %s", async (_what, change, reason) => {
    await whole();
    await change();
    await expect(verify()).rejects.toMatchObject({
      code: "snapshot_refused",
      message: expect.stringMatching(reason) as string,
    });
  });

  it("never fails in another way than by a refusal, whatever bits of its target.images are flipped", async () => {
    await whole();
    for (const name of ["core-1.img", "files.img", "cgroup.img", "seccomp.img", mountList()]) {
      const bytes = await readFile(path.join(target.images, name));
      for (let round = 0; round < 6; round += 1) {
        const broken = Buffer.from(bytes);
        const bit = Math.floor(Math.random() * bytes.length * 8);
        broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await writeFile(path.join(target.images, name), broken);
        const code = await verify().then(
          () => "accepted",
          (error: { code?: string }) => error.code,
        );
        expect(["accepted", "snapshot_refused"], `${name}, bit ${bit}`).toContain(code);
      }
      await writeFile(path.join(target.images, name), bytes);
    }
  });
});

async function verify(): Promise<void> {
  const bounds = containerBounds({
    capabilities: capabilitiesKept,
    mounts: [],
    user: "",
    hasAppArmor: false,
  });
  const ignored = ["snapshot.json", "checked"];
  // Whoever changes a file changes its size and digest in the list too: those must not be what finds it.
  for (const [at, file] of target.files.entries()) {
    const facts = await lstat(path.join(target.home, file.path)).catch(() => undefined);
    if (facts?.isFile() && file.sizeBytes < 2 ** 40)
      target.files[at] = { ...file, sizeBytes: facts.size };
  }
  await verifySnapshot({
    directory: target.home,
    files: target.files,
    bounds,
    bytesMax: 2 ** 36,
    ignored,
    signal,
  });
}

/** Everything as it was captured. */
async function whole(): Promise<void> {
  await rm(path.join(real.directory, "stolen"), { force: true });
  await rm(target.home, { recursive: true });
  execFileSync("cp", ["-a", "--reflink=auto", path.join(real.directory, ".whole"), target.home]);
  const stored = await (await SnapshotDirectory.open(real.directory)).read(real.snapshot.id);
  target.files = (stored?.files ?? []).map(({ path: file, sizeBytes }) => ({
    path: file,
    sizeBytes,
  }));
}
