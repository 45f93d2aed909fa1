// A file that a caller names by URL is fetched for a provider that takes bytes only: never from where the caller could not
// go itself.
import { expect, it } from "vitest";

import { parseAllowList } from "../../../../../gateway/http/url-guard.ts";
import {
  createFetchFile,
  type FetchFile,
} from "../../../../../gateway/upstream/provider/fetch-file.ts";
import { bytes, fail, startProviderDouble } from "../../../../support/provider-double.ts";

const { signal } = new AbortController();

function fetchFile(entries: readonly string[]): FetchFile {
  return createFetchFile({ allow: parseAllowList(entries), connectMs: 1_000 });
}

it("gives the file and its type, from a host that the operator allows", async () => {
  await using double = await startProviderDouble({
    key: {},
    refuse: ({ status }) => fail(status, {}),
    routes: [
      {
        method: "GET",
        path: "/film",
        answer: () => bytes(Buffer.from("film"), "Video/MP4; codecs=avc1"),
      },
    ],
  });
  const url = `${double.baseUrl}/film`;
  const file = await fetchFile(["127.0.0.1"])(url, signal);
  expect(file).toEqual({ contentType: "video/mp4", bytes: Buffer.from("film") });

  double.next(fail(404, {}));
  await expect(fetchFile(["127.0.0.1"])(url, signal)).rejects.toMatchObject({
    code: "invalid_input",
    message: expect.stringContaining("it answered 404") as string,
  });

  await expect(fetchFile([])(url, signal)).rejects.toThrow("not a public address");
  expect(double.requests).toHaveLength(2);
});

it.each(["http://169.254.169.254/latest", "file:///etc/passwd", "https://localhost/x", "no url"])(
  "refuses %s",
  async (url) => {
    await expect(fetchFile([])(url, signal)).rejects.toMatchObject({ code: "invalid_request" });
  },
);
