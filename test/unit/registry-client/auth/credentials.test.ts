import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  basicCredentials,
  loadCredentials,
  type Credentials,
} from "../../../../registry-client/index.ts";

let home = "";

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "byom-credentials-"));
  await mkdir(join(home, ".docker"));
  await mkdir(join(home, "bin"));
});

afterEach(async () => {
  await rm(home, { recursive: true });
});

async function writeConfig(value: unknown): Promise<void> {
  await writeFile(
    join(home, ".docker", "config.json"),
    typeof value === "string" ? value : JSON.stringify(value),
  );
}

/** A helper that knows one server and writes down whom it was asked for. */
async function writeHelper(name: string, script: string): Promise<void> {
  const path = join(home, "bin", `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\nread -r server || true\n${script}\n`);
  await chmod(path, 0o755);
}

async function load(registry: string, environment: Record<string, string> = {}): Promise<unknown> {
  const found = await loadCredentials({
    registry,
    environment: { PATH: `${join(home, "bin")}:/usr/bin:/bin`, ...environment },
    homeDirectory: home,
  });
  return found && reveal(found);
}

function reveal(credentials: Credentials): unknown {
  return credentials.kind === "basic"
    ? { kind: "basic", username: credentials.username, password: credentials.password.reveal() }
    : { kind: credentials.kind, token: credentials.token.reveal() };
}

const encode = (text: string): string => Buffer.from(text).toString("base64");

// Whoever has logged in with docker or podman must not have to log in again for byom.
describe("loadCredentials", () => {
  test("is anonymous without any file", async () => {
    expect(await load("r.example")).toBeUndefined();
  });

  test("reads auths; passwords may hold colons", async () => {
    await writeConfig({ auths: { "r.example": { auth: encode("me:a:b") } } });
    expect(await load("r.example")).toEqual({ kind: "basic", username: "me", password: "a:b" });
    expect(await load("other.example")).toBeUndefined();
  });

  test("finds Docker Hub under its old address, and URLs as keys", async () => {
    await writeConfig({
      auths: {
        "https://index.docker.io/v1/": { auth: encode("hub:x") },
        "https://r.example/v2/": { auth: encode("r:y") },
      },
    });
    expect(await load("docker.io")).toEqual({ kind: "basic", username: "hub", password: "x" });
    expect(await load("r.example")).toEqual({ kind: "basic", username: "r", password: "y" });
  });

  test("identity and registry tokens keep their kind", async () => {
    await writeConfig({ auths: { a: { identitytoken: "i" }, b: { registrytoken: "r" } } });
    expect(await load("a")).toEqual({ kind: "identity-token", token: "i" });
    expect(await load("b")).toEqual({ kind: "registry-token", token: "r" });
  });

  test("DOCKER_AUTH_CONFIG wins over the file, DOCKER_CONFIG moves it", async () => {
    await writeConfig({ auths: { r: { auth: encode("file:1") } } });
    const inline = JSON.stringify({ auths: { r: { auth: encode("inline:2") } } });
    expect(await load("r", { DOCKER_AUTH_CONFIG: inline })).toMatchObject({ username: "inline" });
    expect(await load("r", { DOCKER_CONFIG: join(home, "elsewhere") })).toBeUndefined();
  });

  test("asks the host's own helper before the general one, on stdin", async () => {
    await writeConfig({ credHelpers: { "r.example": "own" }, credsStore: "general", auths: {} });
    await writeHelper(
      "own",
      `printf '{"ServerURL":"%s","Username":"own","Secret":"%s"}' "$server" "$server"`,
    );
    await writeHelper("general", `printf '{"Username":"<token>","Secret":"refresh"}'`);
    expect(await load("r.example")).toEqual({
      kind: "basic",
      username: "own",
      password: "r.example",
    });
    expect(await load("s.example")).toEqual({ kind: "identity-token", token: "refresh" });
  });

  test("a helper that knows nothing leaves it to auths; one that breaks says so without its output", async () => {
    await writeConfig({ credsStore: "x", auths: { r: { auth: encode("file:1") } } });
    await writeHelper("x", `echo "credentials not found in native keychain"; exit 1`);
    expect(await load("r")).toMatchObject({ username: "file" });
    await writeHelper("x", `echo '{"Secret":"hunter2"'`);
    const failure = await load("r").catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "invalid-credentials",
      message: expect.stringContaining("docker-credential-x"),
    });
    expect(inspect(failure, { depth: 5 })).not.toContain("hunter2");
  });

  test("podman's file counts last", async () => {
    const file = join(home, "auth.json");
    await writeFile(file, JSON.stringify({ auths: { r: { auth: encode("podman:1") } } }));
    expect(await load("r", { REGISTRY_AUTH_FILE: file })).toMatchObject({ username: "podman" });
  });

  test("a broken file is named, its content is not", async () => {
    await writeConfig(`{"auths": {"r": {"auth": "c2VjcmV0"`);
    const failure = await load("r").catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "invalid-credentials",
      message: expect.stringContaining("config.json"),
    });
    expect(inspect(failure, { depth: 5 })).not.toContain("c2VjcmV0");
  });
});

test("no formatter prints a password", () => {
  const credentials = basicCredentials("me", "hunter2");
  const printed = [
    inspect(credentials, { depth: 9, showHidden: true }),
    JSON.stringify(credentials),
    String(credentials.kind === "basic" && credentials.password),
  ];
  expect(printed.join("\n")).not.toContain("hunter2");
  expect(printed.every((text) => text.includes("[REDACTED]"))).toBe(true);
});
