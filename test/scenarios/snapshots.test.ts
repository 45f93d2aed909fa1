// What an operator does with snapshots, by byom's own commands. If one of these fails, nobody can see what a snapshot
// holds and why an instance started cold, take one by hand, move it to another machine, or be rid of a damaged one.
import { generateKeyPairSync } from "node:crypto";
import { cp, mkdtemp, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createByom, type Byom, type Finished } from "../support/byom.ts";
import { removeImage } from "../support/images.ts";

const fixture = fileURLToPath(new URL("../fixtures/random", import.meta.url));
const modelId = "verbs/random";

interface Snapshot {
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
  readonly sizeBytes: number;
}
interface Called {
  readonly output: { readonly instance: string; readonly hooks: number };
  readonly start: { readonly mode: string; readonly reason?: string };
}

let byom: Byom;
let directory: string;
/** Why there are no snapshots on this host, or undefined. */
let reasonWithout: string | undefined;

beforeAll(async () => {
  byom = await createByom();
  directory = join(await mkdtemp(join(tmpdir(), "byom-verbs-")), "random-verbs");
  await cp(fixture, directory, { recursive: true });
  // On a busy machine a restore may be no faster; what is tested here is not whether it pays.
  await writeFile(join(directory, "byom.yaml"), "snapshot: always\n");
  await byom.json("up", "--detach", "--port", "0");
  const pushed = await byom.json<{ snapshot: { id?: string; reason?: string } }>(
    "-C",
    directory,
    "push",
    modelId,
  );
  if (pushed.snapshot.id === undefined) reasonWithout = pushed.snapshot.reason ?? "no snapshot";
  if (reasonWithout !== undefined) console.warn(`skipped: ${reasonWithout}`);
});
afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await rm(dirname(directory), { recursive: true, force: true });
  await removeImage("cog-random-verbs");
});

async function list(): Promise<readonly Snapshot[]> {
  return (await byom.json<{ snapshots: readonly Snapshot[] }>("snapshot", "list")).snapshots;
}

async function only(): Promise<Snapshot> {
  const [snapshot, ...others] = await list();
  expect(others).toEqual([]);
  expect(snapshot).toBeDefined();
  return snapshot as Snapshot;
}

/** From zero, so that the call tells how the instance came up. */
async function callFromZero(): Promise<Called> {
  await byom.json("scale", modelId, "--to", "zero");
  return await byom.json<Called>("call", modelId, "-i", "label=hello");
}

async function succeed(...args: readonly string[]): Promise<Finished> {
  const finished = await byom.run(...args);
  expect(finished.exitCode, finished.stderr).toBe(0);
  return finished;
}

describe("snapshots by hand", () => {
  it("are listed, with the model that starts from them and what they saved", async ({ skip }) => {
    skip(reasonWithout !== undefined);
    expect((await callFromZero()).start.mode).toBe("restored");
    const { stdout } = await succeed("snapshot", "list");
    const { id } = await only();
    expect(stdout).toMatch(/^id +model +status +size +age +restores +saved/);
    expect(stdout).toMatch(new RegExp(`^${id} +${modelId}@1 +available +\\S+ \\w+ .* 1 `, "m"));
  });

  it("show what they hold, in words and as JSON", async ({ skip }) => {
    skip(reasonWithout !== undefined);
    const { id, sizeBytes } = await only();
    const { stdout } = await succeed("snapshot", "inspect", id.slice(0, 12));
    for (const word of ["anonymous", "file-mapped", "processes", "open files", "sockets"]) {
      expect(stdout).toMatch(new RegExp(`^${word} +\\S`, "m"));
    }
    expect(stdout).toMatch(/^fits this host +yes/m);
    expect(stdout).toMatch(/ python /);
    const inspected = await byom.json<{
      facts: { pageBytes: number; anonymousBytes: number; processes: readonly object[] };
      fit: { fitsHost: boolean };
    }>("snapshot", "inspect", id);
    expect(inspected.fit.fitsHost).toBe(true);
    expect(inspected.facts.pageBytes).toBeGreaterThan(1 << 20);
    expect(inspected.facts.pageBytes).toBeLessThanOrEqual(sizeBytes);
    // tini, coglet's parent and its worker
    expect(inspected.facts.processes.length).toBeGreaterThanOrEqual(3);
  });

  it("explain why an instance started as it did", async ({ skip }) => {
    skip(reasonWithout !== undefined);
    const { id } = await only();
    const { output, start } = await callFromZero();
    expect(start.mode).toBe("restored");
    const restored = await succeed("snapshot", "explain", output.instance);
    expect(restored.stdout).toContain(id);
    expect(restored.stdout).toMatch(/oci-runtime +restored +the container runs/);
    await byom.json("scale", modelId, "--to", "zero", "--next-cold");
    const cold = await byom.json<Called>("call", modelId, "-i", "label=hello");
    expect(cold.start.mode).toBe("cold");
    const explained = await succeed("snapshot", "explain", cold.output.instance);
    expect(explained.stdout).toContain("cold");
    expect(explained.stdout).not.toContain("restored");
    // The instance that was restored is gone; its decisions are not.
    expect((await succeed("snapshot", "explain", output.instance)).stdout).toBe(restored.stdout);
  });

  it("are taken when they are asked for, and the verdict is measured", async ({ skip }) => {
    skip(reasonWithout !== undefined);
    const before = await only();
    const created = await byom.json<{
      snapshot: Snapshot;
      coldMs: readonly number[];
      restoredMs: readonly number[];
    }>("snapshot", "create", modelId);
    expect(created.snapshot.id).not.toBe(before.id);
    expect(created.coldMs.length).toBeGreaterThan(0);
    expect(created.restoredMs.length).toBe(created.coldMs.length);
    expect((await only()).id).toBe(created.snapshot.id);
    expect((await callFromZero()).start.mode).toBe("restored");
  });

  it("travel: pushed beside the image, removed, and pulled again", async ({ skip }) => {
    skip(reasonWithout !== undefined);
    const { id } = await only();
    const pushed = await byom.json<{ reference: string; uploadedBytes: number }>(
      "snapshot",
      "push",
      modelId,
    );
    expect(pushed.uploadedBytes).toBeGreaterThan(0);
    expect(pushed.reference).toMatch(/@sha256:[0-9a-f]{64}$/);
    const again = await byom.json<{ uploadedBytes: number; skippedBytes: number }>(
      "snapshot",
      "push",
      id,
    );
    expect(again.uploadedBytes).toBe(0);
    await byom.json("snapshot", "rm", id);
    expect(await list()).toEqual([]);
    const pulled = await byom.json<{ isNew: boolean; downloadedBytes: number }>(
      "snapshot",
      "pull",
      modelId,
    );
    expect(pulled).toMatchObject({ isNew: true });
    expect(pulled.downloadedBytes).toBeGreaterThan(0);
    expect((await callFromZero()).start.mode).toBe("restored");
  });

  it("are accepted of those whose key is trusted, until it is not", async () => {
    const { stdout } = await succeed("snapshot", "trust");
    expect(stdout).toMatch(/^-----BEGIN PUBLIC KEY-----\n[\s\S]*-----END PUBLIC KEY-----\n$/);
    const { publicKey } = generateKeyPairSync("ed25519");
    const file = join(byom.dataDirectory, "colleague.pem");
    await writeFile(file, publicKey.export({ type: "spki", format: "pem" }));
    await succeed("snapshot", "trust", "colleague", file);
    const keys = async (): Promise<{ trusted: readonly { name: string }[] }> =>
      await byom.json("snapshot", "trust");
    expect((await keys()).trusted).toMatchObject([{ name: "colleague" }]);
    await succeed("snapshot", "distrust", "colleague");
    expect((await keys()).trusted).toEqual([]);
    const again = await byom.run("snapshot", "distrust", "colleague");
    expect(again).toMatchObject({ exitCode: 1 });
    await writeFile(file, "no key\n");
    const wrong = await byom.run("snapshot", "trust", "colleague", file);
    expect(wrong).toMatchObject({ exitCode: 1 });
    expect(wrong.stderr).toMatch(/key/);
  });

  it("that are damaged are found, said, and not used", async ({ skip }) => {
    skip(reasonWithout !== undefined);
    if ((await only()).status !== "available") await byom.json("snapshot", "create", modelId);
    const { id } = await only();
    expect((await succeed("snapshot", "verify", id)).stdout).toMatch(/ is whole: \d+ files/);
    await flipOneBit(join(byom.dataDirectory, "snapshots", id, "images"));
    const { exitCode, stderr } = await byom.run("snapshot", "verify", id);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/is not what was captured: images\/pages-\d+\.img/);
    const { start } = await callFromZero();
    expect(start.mode).toBe("cold");
    expect(start.reason).toContain("the snapshot is damaged: images/pages-");
  });

  it("that do not exist are said so, with what to do", async ({ skip }) => {
    skip(reasonWithout !== undefined);
    for (const verb of ["inspect", "verify", "rm"]) {
      const { exitCode, stderr } = await byom.run("snapshot", verb, "nothing");
      expect(exitCode, verb).toBe(1);
      expect(stderr, verb).toContain("nothing");
    }
    const { exitCode, stderr } = await byom.run("snapshot", "create", "not a model");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("OWNER/NAME");
  });
});

/** In the middle of the largest page image. */
async function flipOneBit(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith("pages-"));
  const sizes = await Promise.all(
    names.map(async (name) => ({ name, bytes: (await stat(join(directory, name))).size })),
  );
  const [largest] = sizes.toSorted((a, b) => b.bytes - a.bytes);
  if (largest === undefined) throw new Error(`no page images in ${directory}`);
  await using file = await open(join(directory, largest.name), "r+");
  const buffer = Buffer.alloc(1);
  const at = Math.floor(largest.bytes / 2);
  await file.read(buffer, 0, 1, at);
  buffer[0] = (buffer[0] ?? 0) ^ 1;
  await file.write(buffer, 0, 1, at);
}
