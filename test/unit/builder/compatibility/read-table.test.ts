import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  readBundledTable,
  readCompatibilityTable,
  resetCompatibilityTable,
  updateCompatibilityTable,
} from "../../../../builder/compatibility/read-table.ts";
import { compatibilityTableSchema } from "../../../../builder/compatibility/table.ts";
import { compareVersions } from "../../../../builder/compatibility/version.ts";
import { writeRepo } from "../repo.ts";

const bundled = await readBundledTable();
const newer = { ...bundled, date: "2999-01-01" };

test("the table of this release is a good one: checked, each list in order, each CUDA once", () => {
  expect(compatibilityTableSchema.parse(bundled)).toEqual(bundled);
  for (const releases of [bundled.torch, bundled.tensorflow, bundled.cuda]) {
    const versions = releases.map(({ version }) => version);
    expect(versions).toEqual([...new Set(versions)].toSorted(compareVersions));
  }
  for (const { cuda } of bundled.torch) expect(cuda).toEqual(cuda.toSorted(compareVersions));
});

test("a newer table is used at once, an older one is not, and reset goes back", async () => {
  const dataDirectory = writeRepo({});
  const source = join(dataDirectory, "given.json");
  const origin = async () => (await readCompatibilityTable({ dataDirectory })).origin;
  expect(await origin()).toBe("bundled");
  writeFileSync(source, JSON.stringify(newer));
  await updateCompatibilityTable({ dataDirectory, source });
  expect(await origin()).toBe(join(dataDirectory, "compatibility.json"));
  writeFileSync(source, JSON.stringify({ ...newer, date: "2020-01-01" }));
  await updateCompatibilityTable({ dataDirectory, source });
  expect(await origin()).toBe("bundled");
  await resetCompatibilityTable(dataDirectory);
  await resetCompatibilityTable(dataDirectory);
  expect(readdirSync(dataDirectory)).toEqual(["given.json"]);
});

test.each([
  ["not JSON", "torch: 2"],
  ["torch", JSON.stringify({ ...newer, torch: [] })],
  ["gpus.0.names", JSON.stringify({ ...newer, gpus: [{ ...bundled.gpus[0], names: [] }] })],
  ["date", JSON.stringify({ ...newer, date: "tomorrow" })],
  ["more than 2097152 bytes", " ".repeat(2 * 1024 * 1024 + 1)],
])("a table that is none is refused by name (%s) and the one before stays", async (words, text) => {
  const dataDirectory = writeRepo({ "bad.json": text });
  const source = join(dataDirectory, "bad.json");
  await expect(updateCompatibilityTable({ dataDirectory, source })).rejects.toMatchObject({
    code: "COMPATIBILITY_TABLE_INVALID",
    message: expect.stringContaining(words),
  });
  expect((await readCompatibilityTable({ dataDirectory })).origin).toBe("bundled");
});

test("a table comes from an address too; an answer that is none is told", async () => {
  const dataDirectory = writeRepo({});
  const server = createServer((request, response) => {
    response.statusCode = request.url === "/table.json" ? 200 : 404;
    response.end(JSON.stringify(newer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const from = (path: string) =>
    updateCompatibilityTable({ dataDirectory, source: `http://127.0.0.1:${port}${path}` });
  expect((await from("/table.json")).date).toBe("2999-01-01");
  await expect(from("/other.json")).rejects.toThrow("status 404");
});

test("a table that was broken later is told with its file, not used", async () => {
  const dataDirectory = writeRepo({ "compatibility.json": "{" });
  await expect(readCompatibilityTable({ dataDirectory })).rejects.toMatchObject({
    code: "COMPATIBILITY_TABLE_INVALID",
    message: expect.stringContaining("compatibility.json"),
  });
});
