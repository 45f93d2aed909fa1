import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * Answers requests for the console's page and its files; false, with nothing done, for any other path.
 * `path` is the request's path without its query.
 */
export type Console = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

const typeByEnding: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** The pages by their paths. */
const pages: Readonly<Record<string, string>> = {
  "/models": "index.html",
  "/spend": "spend.html",
  "/logs": "logs.html",
};
/** Everything else that is served: a file that is not named here cannot be read. */
const assets: readonly string[] = [
  "style.css",
  "icon.svg",
  "api.js",
  "app.js",
  "chat.js",
  "chat-bubble.js",
  "chat-settings.js",
  "dom.js",
  "event-stream.js",
  "form.js",
  "form-fields.js",
  "key-dialog.js",
  "list.js",
  "logs.css",
  "logs.js",
  "logs-entry.js",
  "logs-list.js",
  "logs-waterfall.js",
  "model.js",
  "output.js",
  "prediction.js",
  "prediction-run.js",
  "schema.js",
  "snippets.js",
  "spend.css",
  "spend.js",
  "spend-budgets.js",
  "spend-chart.js",
  "spend-table.js",
  "timing.js",
];

/**
 * The page shows text that models' authors wrote, so it can run only the console's own scripts, can reach only its own
 * origin, and has no way to make markup from a string (https://www.w3.org/TR/CSP3/, https://www.w3.org/TR/trusted-types/).
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

interface Asset {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

/** The pages and their files under `/models/assets/`, read once. They need no key: their API calls do. */
export function createConsole(): Console {
  const byPath = new Map<string, Asset>([
    ...Object.entries(pages).flatMap(([path, name]) => {
      const page = load(name);
      return [
        [path, page],
        [`${path}/`, page],
      ] as const;
    }),
    ...assets.map((name) => [`/models/assets/${name}`, load(name)] as const),
  ]);
  return (request, response, path) => {
    const asset = byPath.get(path);
    if (asset === undefined) return false;
    answer(request, response, asset);
    return true;
  };
}

function answer(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD", "content-length": "0" }).end();
    return;
  }
  const headers = { etag: asset.etag, "cache-control": "no-cache", ...securityHeaders };
  if (isKnown(request.headers["if-none-match"], asset.etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    "content-type": asset.type,
    "content-length": String(asset.bytes.length),
  });
  response.end(request.method === "HEAD" ? undefined : asset.bytes);
}

/** RFC 9110 §13.1.2: a list of entity tags, compared weakly. */
function isKnown(header: string | undefined, etag: string): boolean {
  const tags = (header ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}

function load(name: string): Asset {
  const bytes = readFileSync(new URL(`assets/${name}`, import.meta.url));
  const digest = createHash("sha256").update(bytes).digest("base64url").slice(0, 22);
  const type = typeByEnding[name.split(".").at(-1) ?? ""];
  if (type === undefined) throw new Error(`the console's ${name} has no content type`);
  return { bytes, type, etag: `"${digest}"` };
}
