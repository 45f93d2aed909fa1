// What other catalogs' readers lose when these fail: byom's models under the names and units that they expect.
import { describe, expect, it } from "vitest";

import { bundledModels } from "../../../../gateway/catalog/bundled/index.ts";
import type { CatalogEntry } from "../../../../gateway/catalog/entry.ts";
import { formatModels } from "../../../../gateway/catalog/formats/format.ts";
import { priceOf } from "../../../../gateway/catalog/formats/price.ts";
import { thirdPartyEntry } from "../../../../gateway/catalog/third-party.ts";
import { chatModel } from "../harness.ts";

const apiUrl = "https://models.example.com/v1";

function bundled(id: string): CatalogEntry {
  const model = bundledModels.find((candidate) => candidate.id === id);
  if (model === undefined) throw new Error(`no ${id}`);
  return thirdPartyEntry(model, "bundled");
}

const priced: CatalogEntry = {
  ...chatModel,
  name: "Acme Chat",
  contextLength: 8192,
  prices: [
    { unit: "input-token", per: 1_000_000, usd: "0.15" },
    { unit: "output-token", per: 1_000_000, usd: "0.6" },
    { unit: "second", per: 1, usd: "0.000225" },
  ],
};
const entries = [priced, bundled("@cf/moonshotai/kimi-k2.5"), bundled("recraft/recraftv4")];

it.each(["openrouter", "models.dev", "cloudflare"])("%s is what was agreed on", async (format) => {
  const body = JSON.stringify(formatModels(format, entries, { apiUrl }), undefined, 2);
  await expect(`${body}\n`).toMatchFileSnapshot(`golden/${format}.txt`);
});

describe("a price", () => {
  it.each([
    ["0.15", 1_000_000, 1, "0.00000015"],
    ["0.15", 1_000_000, 1_000_000, "0.15"],
    ["10", 1_000_000, 1, "0.00001"],
    ["0.21", 3_600, 60, "0.0035"],
    ["1", 3, 1, "0.333333333333333"],
    ["0", 1, 1, "0"],
    ["120", 1, 1, "120"],
  ])("of %s for %i is, for %i, %s: no binary fraction gets in", (usd, per, times, expected) => {
    const entry: CatalogEntry = { ...chatModel, prices: [{ unit: "input-token", per, usd }] };
    expect(priceOf(entry, "input-token", times)).toBe(expected);
  });

  it("that nobody set is none", () => {
    expect(priceOf(chatModel, "image")).toBeUndefined();
  });
});
