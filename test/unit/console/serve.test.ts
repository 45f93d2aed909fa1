// The console's files are the only ones that are served without a key, and the page that they make holds one. What is
// lost when this fails: a file of the host read by a stranger, or a key read by a model's card.
import { readdirSync } from "node:fs";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { createConsole } from "../../../console/index.ts";

const folder = fileURLToPath(new URL("../../../console/assets", import.meta.url));
const names = readdirSync(folder);
let server: Server;

beforeAll(async () => {
  const serveConsole = createConsole();
  server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "/";
    if (!serveConsole(request, response, path)) response.writeHead(418).end("not the console's");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** `path` goes out as it is: a client that normalises `..` would hide what the server does with it. */
function get(
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port, host: "127.0.0.1", path, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.once("error", reject).end();
  });
}

test("every file of the folder is served, with its type, and the page names only such files", async () => {
  for (const name of names.filter((one) => !one.endsWith(".html"))) {
    const { status, headers, text } = await get(`/models/assets/${name}`);
    expect(status, name).toBe(200);
    expect(headers["content-type"], name).toMatch(
      /^(?:text\/(?:javascript|css); charset=utf-8|image\/svg\+xml)$/,
    );
    expect(text.length, name).toBeGreaterThan(100);
    for (const [, imported = ""] of text.matchAll(/from "\.\/([^"]+)"/g))
      expect(names).toContain(imported);
  }
  for (const page of ["/models", "/spend", "/logs"]) await checkPage(page);
});

async function checkPage(page: string): Promise<void> {
  const { text } = await get(page);
  const used = [...text.matchAll(/(?:src|href)="(\/[^"#]*)"/g)].map(([, path]) => path ?? "");
  expect(used.length).toBeGreaterThan(2);
  for (const path of used) expect((await get(path)).status, path).toBe(200);
  expect(text).not.toMatch(/https?:|<script>|\son[a-z]+=|style="/);
}

test("the policy lets run, load and reach only this origin, and no markup be made from strings", async () => {
  const { headers } = await get("/models");
  const policy = String(headers["content-security-policy"]);
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
});

test.each([
  "/models/assets/../serve.ts",
  "/models/assets/..%2fserve.ts",
  "/models/assets/%2e%2e/serve.ts",
  "/models/assets//etc/passwd",
  "/models/assets/index.html",
  "/models/assets/",
  "/models/assets",
  "/models/serve.ts",
  "/models/acme/chat",
  "/models/acme/chat/predictions",
  "/models/assets/app.js/predictions",
  "/v1/models",
  "/",
])("%s is left to others", async (path) => {
  expect((await get(path)).status).toBe(418);
});

test("a file that the browser has is not sent again, and one that changed would be", async () => {
  const first = await get("/models/assets/app.js");
  const etag = String(first.headers.etag);
  expect(first.headers["cache-control"]).toBe("no-cache");
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const again = await get("/models/assets/app.js", { headers: { "if-none-match": known } });
    expect([again.status, again.text]).toEqual([304, ""]);
  }
  const other = await get("/models/assets/app.js", { headers: { "if-none-match": '"other"' } });
  expect(other.text).toBe(first.text);
});

test("HEAD gives the head alone; other methods are refused", async () => {
  const head = await get("/models", { method: "HEAD" });
  expect([head.status, head.text]).toEqual([200, ""]);
  expect(Number(head.headers["content-length"])).toBeGreaterThan(500);
  const post = await get("/models", { method: "POST" });
  expect([post.status, post.headers["allow"]]).toEqual([405, "GET, HEAD"]);
});

test("no script of the page makes markup from a string or code from text", async () => {
  for (const name of names.filter((one) => one.endsWith(".js"))) {
    const { text } = await get(`/models/assets/${name}`);
    expect(text, name).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc/,
    );
    expect(text, name).not.toMatch(/localStorage|document\.cookie/);
  }
});
