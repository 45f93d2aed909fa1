import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findDebianMirror, renderSource } from "../../../../host/packages/debian-sources.ts";

const signal = new AbortController().signal;
const usualKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-apt-"));
  await mkdir(join(directory, "sources.list.d"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

it("a company's mirror in deb822 style is used, other vendors' sources are not", async () => {
  await writeFile(
    join(directory, "sources.list.d/debian.sources"),
    `Types: deb
URIs: http://mirror.corp.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.corp.example/debian-security
Suites: bookworm-security
Components: main
`,
  );
  await writeFile(
    join(directory, "sources.list.d/0-node.list"),
    "deb [signed-by=/k.gpg] https://deb.example.com/node nodistro main\n",
  );
  const mirror = await findDebianMirror({ directory, signal });
  expect(mirror).toEqual({
    url: "http://mirror.corp.example/debian",
    securityUrl: "http://mirror.corp.example/debian-security",
    keyring: usualKeyring,
  });
  expect(renderSource(mirror, "sid")).toBe(
    `deb [signed-by=${usualKeyring}] http://mirror.corp.example/debian sid main`,
  );
  expect(renderSource(mirror, "bookworm-security")).toContain("/debian-security bookworm-security");
});

it("one-line sources with their keyring are read, disabled and commented ones are not", async () => {
  const keyring = join(directory, "corp.gpg");
  await writeFile(keyring, "");
  await writeFile(
    join(directory, "sources.list"),
    `# deb http://old.example/debian bookworm main\ndeb [arch=amd64 signed-by=${keyring}] http://apt.example/debian/ trixie main\n`,
  );
  await writeFile(
    join(directory, "sources.list.d/a.sources"),
    "Enabled: no\nTypes: deb\nURIs: http://disabled.example/debian-security\nSuites: x\n",
  );
  expect(await findDebianMirror({ directory, signal })).toEqual({
    url: "http://apt.example/debian/",
    keyring,
  });
});

it("a host without Debian sources is told to add one", async () => {
  await expect(findDebianMirror({ directory, signal })).rejects.toMatchObject({
    code: "HOST_PACKAGES_UNSUPPORTED",
    hint: expect.stringContaining("MIRROR"),
  });
});
