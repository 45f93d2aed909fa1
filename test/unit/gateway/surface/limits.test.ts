import { request } from "node:http";

import { afterEach, beforeEach, expect, it } from "vitest";

import { startHarness, type Harness } from "../harness.ts";

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness.close());

it("refuses a body that says it is larger than any model takes, without reading it", async () => {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const call = request(`${harness.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: "Bearer byom_call_key", "content-length": 200 * 1024 * 1024 },
    });
    call.on("response", (response) => {
      resolve(response.statusCode);
      call.destroy();
    });
    call.on("error", reject);
    call.write("{");
  });
  expect(status).toBe(413);
});
