// Tokens and passwords that are given at run time. If one of these fails, a user's token lies readable on the disk, is
// in a snapshot that is pushed to others, or the model goes on with the old one after it was changed.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createByom, type Byom } from "../support/byom.ts";
import { removeImage } from "../support/images.ts";

const fixture = fileURLToPath(new URL("../fixtures/secretive", import.meta.url));
const modelId = "secretive/token";
const licensedId = "secretive/license";
/** Told apart from anything else on the machine. */
const makeValue = (): string => `byom-test-value-${randomBytes(16).toString("hex")}`;
const first = makeValue();
const second = makeValue();
const license = makeValue();

interface Called {
  readonly output: string;
  readonly start: { readonly mode: string; readonly reason?: string };
}
interface Listed {
  readonly snapshots: readonly {
    readonly id: string;
    readonly status: string;
    readonly holdsSecrets?: readonly string[];
  }[];
}

let byom: Byom;
/** Values, and another repo of the fixture. */
let directory: string;

beforeAll(async () => {
  byom = await createByom();
  directory = await mkdtemp(join(tmpdir(), "byom-secrets-"));
  await byom.json("up", "--detach", "--port", "0");
});
afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
  await removeImage("cog-secretive");
});

async function set(model: string, name: string, value: string, ...flags: string[]): Promise<void> {
  const file = join(directory, "value");
  await writeFile(file, `${value}\n`, { mode: 0o600 });
  await byom.json("secrets", "set", model, name, "--from-file", file, ...flags);
}

function proof(word: string, value: string): string {
  return createHash("sha256")
    .update(word + value)
    .digest("hex");
}

async function call(model: string, word: string): Promise<Called> {
  return await byom.json<Called>("call", model, "-i", `word=${word}`);
}

/** Every file of the platform, its snapshots and logs, that has the value in it, plainly or in base64. */
function filesWith(value: string): string[] {
  const base64 = Buffer.from(value).toString("base64").slice(0, 24);
  try {
    return execFileSync("grep", ["-rlaF", "-e", value, "-e", base64, byom.dataDirectory])
      .toString()
      .trim()
      .split("\n");
  } catch (error) {
    if ((error as { status?: number }).status === 1) return [];
    throw error;
  }
}

describe("a secret that predictions need", () => {
  it("is asked for before anything is built, with the command that gives it", async () => {
    const { exitCode, stderr } = await byom.run("-C", fixture, "push", modelId);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("needs a secret that it does not have: TOKEN");
    expect(stderr).toContain(`byom secrets set ${modelId} TOKEN`);
  });

  it("reaches the instance that was captured, which its snapshot was taken of without it", async () => {
    await set(modelId, "TOKEN", first);
    const pushed = await byom.json<{ snapshot: unknown }>("-C", fixture, "push", modelId);
    expect(pushed.snapshot).toMatchObject({ id: expect.any(String) });
    const { output, start } = await call(modelId, "captured");
    expect(output).toBe(`${proof("captured", first)} nothing`);
    expect(start.mode).toBe("running");
  });

  it("reaches a restored instance, and a changed one the next start", async () => {
    await byom.json("scale", modelId, "--to", "zero");
    const restored = await call(modelId, "restored");
    expect(restored.start).toMatchObject({ mode: "restored" });
    expect(restored.output).toBe(`${proof("restored", first)} nothing`);
    await set(modelId, "TOKEN", second);
    await byom.json("scale", modelId, "--to", "zero");
    const changed = await call(modelId, "changed");
    // No part of the key: the snapshot fits still.
    expect(changed.start).toMatchObject({ mode: "restored" });
    expect(changed.output).toBe(`${proof("changed", second)} nothing`);
  });

  it("reaches a cold instance", async () => {
    await byom.json("scale", modelId, "--to", "zero", "--next-cold");
    const { output, start } = await call(modelId, "cold");
    expect(start.mode).toBe("cold");
    expect(output).toBe(`${proof("cold", second)} nothing`);
  });

  it("is in no file of a snapshot, of the platform and its logs, in no answer and no container's facts", async () => {
    const { snapshots } = await byom.json<Listed>("snapshot", "list");
    expect(snapshots).toMatchObject([{ status: "available" }]);
    expect(snapshots[0]).not.toHaveProperty("holdsSecrets");
    for (const value of [first, second]) expect(filesWith(value)).toEqual([]);
    const { url, apiKey } = await byom.access();
    const answers = await Promise.all(
      [
        `models/${modelId}/secrets`,
        `models/${modelId}`,
        "status",
        "snapshots",
        "instances",
        "logs",
      ].map(async (path) => {
        const response = await fetch(`${url}/api/v1/${path}`, {
          headers: { authorization: `Bearer ${apiKey}` },
        });
        return `${path}: ${await response.text()}`;
      }),
    );
    expect(answers[0]).toContain("TOKEN");
    const containers = execFileSync("docker", [
      "ps",
      "-aq",
      "--filter",
      `label=byom.model=${modelId}`,
    ])
      .toString()
      .trim()
      .split("\n");
    answers.push(execFileSync("docker", ["inspect", ...containers]).toString());
    for (const id of containers) answers.push(execFileSync("docker", ["logs", id]).toString());
    for (const value of [first, second]) {
      expect(answers.filter((answer) => answer.includes(value))).toEqual([]);
    }
  });

  it("leaves nobody with a snapshot of an instance that has read it", async () => {
    const { snapshots } = await byom.json<Listed>("snapshot", "list");
    for (const { id } of snapshots) await byom.json("snapshot", "rm", id);
    await call(modelId, "again");
    // The way to rest captures an instance that has no snapshot; this one must not be.
    await byom.json("scale", modelId, "--to", "zero");
    const after = await byom.json<Listed>("snapshot", "list");
    expect(after.snapshots.filter(({ status }) => status === "available")).toEqual([]);
    expect(filesWith(second)).toEqual([]);
  });
});

describe("a secret that setup() needs", () => {
  it("marks the snapshot, whose key tells nothing of it, and changes the key with its value", async () => {
    await cp(fixture, join(directory, "repo"), { recursive: true });
    const settings = "secrets: [{name: LICENSE, setup: true}]\nexample: {input: {word: hello}}\n";
    await writeFile(join(directory, "repo/byom.yaml"), settings);
    await set(licensedId, "LICENSE", license, "--setup");
    const push = ["-C", join(directory, "repo"), "push", licensedId];
    const pushed = await byom.json<{ snapshot: { id: string } }>(...push);
    const { snapshots } = await byom.json<Listed>("snapshot", "list");
    const taken = snapshots.find(({ id }) => id === pushed.snapshot.id);
    expect(taken).toMatchObject({ status: "available", holdsSecrets: ["LICENSE"] });
    const shown = JSON.stringify(taken);
    expect(shown).not.toContain(license);
    expect(shown).not.toContain(createHash("sha256").update(license).digest("hex"));
    await byom.json("scale", licensedId, "--to", "zero");
    const restored = await call(licensedId, "restored");
    expect(restored.start).toMatchObject({ mode: "restored" });
    expect(restored.output).toBe(`nothing ${proof("restored", license)}`);
    const changed = makeValue();
    await set(licensedId, "LICENSE", changed, "--setup");
    await byom.json("scale", licensedId, "--to", "zero");
    const cold = await call(licensedId, "cold");
    expect(cold.start.mode).toBe("cold");
    expect(cold.start.reason).toMatch(/environment/);
    expect(cold.output).toBe(`nothing ${proof("cold", changed)}`);
  });

  it("keeps its snapshot here: pushing it is refused", async () => {
    const { snapshots } = await byom.json<Listed>("snapshot", "list");
    const holding = snapshots.find(({ holdsSecrets }) => holdsSecrets !== undefined);
    const { exitCode, stderr } = await byom.run("snapshot", "push", holding?.id ?? "");
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/holds secrets.*LICENSE/s);
  });
});
