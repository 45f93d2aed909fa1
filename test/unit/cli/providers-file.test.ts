// The operator's file of providers: found where it belongs, and refused with its place when it cannot be meant.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadProvidersFile } from "../../../cli/providers-file.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

const { signal } = new AbortController();

it("providers.yaml in the data directory is found by itself, and no file is none", async () => {
  const dataDirectory = createTemporaryFolder();
  expect(await loadProvidersFile({ dataDirectory, signal })).toBeUndefined();
  writeFileSync(
    join(dataDirectory, "providers.yaml"),
    "providers:\n  openai: { key: env:OPENAI_API_KEY }\n  my-vllm:\n    base_url: http://10.0.0.5:8000/v1/\n    key: file:vllm.key\n",
  );
  expect(await loadProvidersFile({ dataDirectory, signal })).toEqual({
    bundled: "all",
    providers: [
      {
        name: "openai",
        adapter: "openai",
        key: { kind: "environment", variable: "OPENAI_API_KEY" },
        allowPrivate: true,
      },
      {
        name: "my-vllm",
        adapter: "openai-compatible",
        baseUrl: "http://10.0.0.5:8000/v1",
        key: { kind: "file", path: join(dataDirectory, "vllm.key") },
        allowPrivate: true,
      },
    ],
  });
});

it("a file that is named is read as JSON too, and must be there", async () => {
  const dataDirectory = createTemporaryFolder();
  const file = join(dataDirectory, "other.json");
  await expect(loadProvidersFile({ file, dataDirectory, signal })).rejects.toMatchObject({
    code: "providers_missing",
  });
  writeFileSync(file, '{"bundled":"none","providers":{"vidu":{}}}');
  const read = await loadProvidersFile({ file, dataDirectory, signal });
  expect(read).toMatchObject({ bundled: "none", providers: [{ name: "vidu" }] });
});

it.each([
  ["is not YAML", "providers:\n  a: [", /line \d+/],
  ["has a key in clear", "providers:\n  openai: { key: sk-1 }", /providers\.openai\.key/],
])("a file that %s is refused with the place", async (_what, text, message) => {
  const dataDirectory = createTemporaryFolder();
  writeFileSync(join(dataDirectory, "providers.yaml"), text);
  const loading = loadProvidersFile({ dataDirectory, signal });
  await expect(loading).rejects.toThrow(message);
  await expect(loading).rejects.toMatchObject({ code: "providers_invalid" });
});
