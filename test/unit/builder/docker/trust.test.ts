import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadHostTrust } from "../../../../builder/index.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "byom-test-trust-"));
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

test("a company's certificate reaches the build beside the public ones", async () => {
  const bundle = join(home, "company.pem");
  await writeFile(bundle, "-----BEGIN CERTIFICATE-----\ncompany\n-----END CERTIFICATE-----\n");
  const { caBundle } = await loadHostTrust({
    environment: { HOME: home, NODE_EXTRA_CA_CERTS: bundle, PIP_CERT: bundle },
  });
  expect(caBundle?.toString("utf8").match(/\ncompany\n/g)).toHaveLength(1);
});

test("a host without a word about certificates hands none to the build", async () => {
  expect(await loadHostTrust({ environment: { HOME: home } })).not.toHaveProperty("caBundle");
});

test("a variable that points at a missing file is no reason to fail", async () => {
  const environment = { HOME: home, SSL_CERT_FILE: join(home, "gone.pem") };
  await expect(loadHostTrust({ environment })).resolves.toHaveProperty("proxies", {});
});

test("index settings come along; paths of this host do not exist in a container and stay here", async () => {
  await mkdir(join(home, ".config", "pip"), { recursive: true });
  await writeFile(
    join(home, ".config", "pip", "pip.conf"),
    [
      "[global]",
      "index-url = https://user:secret@pypi.example.com/simple",
      "find-links = /srv/wheels",
      "cert = /etc/company.pem",
      "# a comment",
      "extra-index-url =",
      "    https://one.example.com/simple",
      "    https://two.example.com/simple",
      "[list]",
      "timeout = 1",
    ].join("\n"),
  );
  const environment = {
    HOME: home,
    PIP_FIND_LINKS: "/srv/wheels",
    PIP_TRUSTED_HOST: "a.example b.example",
  };
  const { pipConfig } = await loadHostTrust({ environment });
  expect(pipConfig).toContain("index-url = https://user:secret@pypi.example.com/simple\n");
  expect(pipConfig).toContain(
    "extra-index-url = https://one.example.com/simple\n    https://two.example.com/simple\n",
  );
  expect(pipConfig).toContain("trusted-host = a.example\n    b.example\n");
  expect(pipConfig).not.toMatch(/wheels|company|timeout = 1/);
});

test("the variables win over the files, as in pip", async () => {
  await mkdir(join(home, ".pip"));
  await writeFile(
    join(home, ".pip", "pip.conf"),
    "[global]\nindex-url: https://old.example.com/simple\n",
  );
  const environment = { HOME: home, PIP_INDEX_URL: "https://new.example.com/simple" };
  const { pipConfig } = await loadHostTrust({ environment });
  expect(pipConfig).toContain("index-url = https://new.example.com/simple\n");
  expect(pipConfig).not.toContain("old.example.com");
});

test("proxies keep the spelling in which they were set", async () => {
  const environment = {
    HOME: home,
    https_proxy: "http://proxy:3128",
    NO_PROXY: "localhost",
    HTTP_PROXY: "",
  };
  expect((await loadHostTrust({ environment })).proxies).toEqual({
    https_proxy: "http://proxy:3128",
    NO_PROXY: "localhost",
  });
});
