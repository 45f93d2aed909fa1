import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { chatModel, ocrModel, startHarness, type Harness } from "../harness.ts";

// An app that pages through its predictions must see each of them once; a key for one model must see nothing of the
// other ones.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness.close());

const path = "/v1/models/acme/chat/predictions";
const create = { body: { input: { prompt: "x" } } };
const json = async (where: string, options?: Parameters<Harness["call"]>[1]): Promise<unknown> =>
  await (await harness.call(where, options)).json();

describe("the list of predictions", () => {
  const fill = (count: number): void => {
    for (let at = 0; at < count; at += 1) {
      harness.predictions.insert({
        id: `p${String(at).padStart(3, "0")}`,
        model: at % 2 === 0 ? "acme/chat" : "acme/ocr",
        version: 3,
        status: "succeeded",
        input: {},
        logs: "",
        metrics: {},
        createdAt: new Date(Date.parse("2026-11-01T00:00:00Z") + at * 60_000).toISOString(),
        completedAt: "2026-11-02T00:00:00.000Z",
      });
    }
  };
  interface Page {
    readonly results: readonly { readonly id: string }[];
    readonly next: string | null;
    readonly previous: string | null;
  }
  const page = async (url: string): Promise<Page> =>
    (await json(url.replace(harness.url, ""))) as Page;
  const ids = ({ results }: Page): readonly string[] => results.map(({ id }) => id);

  it("shows each exactly once, forwards and back again", async () => {
    fill(250);
    const pages = [await page("/v1/predictions")];
    for (let next = pages[0]?.next; typeof next === "string"; next = pages.at(-1)?.next) {
      pages.push(await page(next));
    }
    expect(pages.map(({ results }) => results.length)).toEqual([100, 100, 50]);
    expect(new Set(pages.flatMap(ids)).size).toBe(250);
    expect(pages[0]?.previous).toBeNull();
    const back = await page(pages[2]?.previous ?? "");
    expect(ids(back)).toEqual(ids(pages[1] as Page));
    const first = await page(back.previous ?? "");
    expect([ids(first), first.previous]).toEqual([ids(pages[0] as Page), null]);
  });

  it("has short pages when inputs are large, and still all of them", async () => {
    fill(5);
    const input = { prompt: "x".repeat(6 * 1024 * 1024) };
    for (const record of harness.predictions.records.values()) {
      harness.predictions.update({ ...record, input });
    }
    const sizes: number[] = [];
    for (let url: string | null = "/v1/predictions"; url !== null;) {
      const { results, next } = await page(url);
      sizes.push(results.length);
      url = next;
    }
    expect(sizes).toEqual([2, 2, 1]);
  });

  it("can be bounded in time, page by page", async () => {
    fill(250);
    const query = "created_after=2026-11-01T01:00:00Z&created_before=2026-11-01T03:00:00Z";
    const first = await page(`/v1/predictions?${query}`);
    const second = await page(first.next ?? "");
    expect([first.results.length, second.results.length, second.next]).toEqual([100, 20, null]);
    expect([ids(first)[0], ids(second).at(-1)]).toEqual(["p179", "p060"]);
    expect((await harness.call("/v1/predictions?created_after=soon")).status).toBe(400);
    expect((await harness.call("/v1/predictions?cursor=x")).status).toBe(400);
  });

  it("of a key for some models holds only those, and what else it asks for is closed to it", async () => {
    await harness.close();
    harness = await startHarness({
      models: [chatModel, ocrModel],
      key: { id: "key-3", name: "narrow", scopes: ["call"], models: ["acme/ocr"] },
    });
    fill(10);
    expect(ids(await page("/v1/predictions"))).toEqual(["p009", "p007", "p005", "p003", "p001"]);
    for (const where of [
      "/v1/predictions/p000",
      "/v1/predictions/p000/stream",
      "/v1/models/acme/chat",
      "/v1/models/acme/chat/versions",
      "/v1/deployments/acme/chat",
      "/models/acme/chat/openapi.json",
    ]) {
      expect([where, (await harness.call(where)).status]).toEqual([where, 403]);
    }
    for (const where of [
      path,
      "/v1/deployments/acme/chat/predictions",
      "/models/acme/chat/predictions",
    ]) {
      expect((await harness.call(where, create)).status).toBe(403);
    }
    const version = { version: "ab".repeat(32), ...create.body };
    expect((await harness.call("/v1/predictions", { body: version })).status).toBe(403);
    const found = await json("/v1/models", { method: "QUERY", body: "model" });
    expect(JSON.stringify(found)).not.toContain("acme/chat");
    expect(await json("/v1/deployments")).toMatchObject({ results: [{ name: "ocr" }] });
    const missing = await json("/v1/models/acme/none");
    expect(JSON.stringify(missing)).not.toContain("acme/chat");
  });
});
