// Instances restored from one snapshot. If one of these fails, two callers get the same "random" values: the same
// session tokens, the same seeds, the same sampled text; or ten clones take ten times the memory of their weights.
import { randomFillSync } from "node:crypto";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createByom, type Byom } from "../support/byom.ts";
import { removeImage } from "../support/images.ts";

const modelId = "clones/random";
/** The image is named after the folder. */
const folderName = "random-clones";
const clonesMax = 10;
const weightsBytes = 64 * 2 ** 20;

/** What the fixture answers; see its run.py. */
interface Values {
  readonly label: string;
  readonly random: number;
  readonly random_object: number;
  readonly numpy: number;
  readonly numpy_generator: number;
  readonly numpy_child: number;
  readonly numpy_state: number;
  readonly uuid: string;
  readonly uuid1: string;
  readonly secret: string;
  readonly temporary: string;
  readonly hostname: string;
  readonly instance: string;
  readonly told: string;
  readonly tls_random: string;
  readonly tls_secret: string;
  readonly tls_ticket_key: string;
  readonly hooks: number;
  readonly pid: number;
  readonly rss: number;
  readonly pss: number;
}

const values = [
  "random",
  "random_object",
  "numpy",
  "numpy_generator",
  "numpy_child",
  "numpy_state",
  "uuid",
  "uuid1",
  "secret",
  "temporary",
  "hostname",
  "instance",
  "tls_random",
  "tls_secret",
  "tls_ticket_key",
] as const;

interface Called {
  readonly output: Values;
  readonly start: { readonly mode: string; readonly reason?: string };
}

let byom: Byom;
let directory: string;
let snapshotId = "";
/** Every answer of a clone, over all tests: none of its values may come twice. */
const answers: Values[] = [];

beforeAll(async () => {
  byom = await createByom();
  directory = await mkdtemp(path.join(tmpdir(), "byom-clones-"));
  const folder = path.join(directory, folderName);
  await cp(fileURLToPath(new URL("../fixtures/random", import.meta.url)), folder, {
    recursive: true,
  });
  const weights = Buffer.alloc(weightsBytes);
  randomFillSync(weights, 0, 2 ** 20);
  await writeFile(path.join(folder, "weights.bin"), weights);
  await byom.json("up", "--detach", "--port", "0");
  const { snapshot } = await byom.json<{ snapshot: { id?: string } }>(
    "-C",
    folder,
    "push",
    modelId,
  );
  expect(snapshot).toMatchObject({ id: expect.any(String) });
  snapshotId = snapshot.id ?? "";
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await removeImage(`cog-${folderName}`);
  await rm(directory, { recursive: true, force: true });
});

describe("clones of one snapshot", () => {
  it("have no copy of the weights in it: what is mapped from a file stays there", async () => {
    const { facts } = await byom.json<{ facts: { pageBytes: number; fileMappedBytes: number } }>(
      "snapshot",
      "inspect",
      snapshotId,
    );
    expect(facts.fileMappedBytes).toBeGreaterThan(weightsBytes);
    // What is in it is Python itself, in three processes.
    expect(facts.pageBytes).toBeLessThan(weightsBytes);
  });

  it("differ in every random value when they are started one after another", async () => {
    for (const label of ["first", "second"]) {
      await byom.json("scale", modelId, "--to", "zero");
      const { output, start } = await byom.json<Called>("call", modelId, "-i", `label=${label}`);
      expect(start).toMatchObject({ mode: "restored" });
      expect(output.label).toBe(label);
      answers.push(output);
    }
    expectAllDistinct(answers);
  });

  it(`all answer when ${clonesMax} are restored at once, differ in all that must, and share their weights`, async () => {
    await byom.json("scale", modelId, "--max", String(clonesMax), "--to", "zero");
    const { url, apiKey } = await byom.access();
    await using barrier = await openBarrier(clonesMax);
    const call = async (label: string): Promise<Values> => {
      const response = await fetch(`${url}/models/${modelId}/predictions`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify({ input: { label, barrier: barrier.port } }),
      });
      const { output } = (await response.json()) as { output: Values };
      const reason = response.headers.get("x-byom-start-reason") ?? "";
      expect(response.headers.get("x-byom-start"), reason).toBe("restored");
      expect(output).toMatchObject({ label, instance: response.headers.get("x-byom-instance") });
      return output;
    };
    const labels = Array.from({ length: clonesMax }, (_, index) => `clone ${index}`);
    const called = await Promise.all(labels.map(call));
    answers.push(...called);
    expectAllDistinct(answers);
    expectShared(called);
  });

  it("know the name of their own host, and have each run their after_restore hook, once", () => {
    expect(answers).toHaveLength(2 + clonesMax);
    for (const { hostname, told, hooks } of answers) expect([told, hooks]).toEqual([hostname, 1]);
  });
});

/** Lets connections wait until this many are there, then lets them all go on; again and again. */
async function openBarrier(count: number): Promise<AsyncDisposable & { port: number }> {
  let waiting: Socket[] = [];
  const server = createServer((socket) => {
    waiting.push(socket.on("error", () => {}));
    if (waiting.length < count) return;
    for (const each of waiting) each.end("!");
    waiting = [];
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const each of waiting) each.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function expectAllDistinct(of: readonly Values[]): void {
  for (const name of values) {
    const drawn = of.map((answer) => answer[name]);
    expect(drawn, name).not.toContain("");
    expect(new Set(drawn).size, `${name}: ${drawn.join(", ")}`).toBe(drawn.length);
  }
}

/** Each has all of the file in memory, and all together have it about once (proc(5): PSS is a page's share). */
function expectShared(clones: readonly Values[]): void {
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const sum = (name: "rss" | "pss"): number =>
    clones.reduce((total, clone) => total + clone[name], 0);
  console.log(
    `${clones.length} clones map ${mib(weightsBytes)} of weights: RSS ${mib(sum("rss"))}, PSS ${mib(sum("pss"))}`,
  );
  for (const { rss } of clones) expect(rss).toBe(weightsBytes);
  expect(sum("pss")).toBeLessThan(weightsBytes * 1.25);
}
