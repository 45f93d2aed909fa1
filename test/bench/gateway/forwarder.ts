// The limit of one Node process: `node:http` in front, `undici.dispatch` behind, and nothing in between.
import { createServer } from "node:http";
import { Pool } from "undici";
import { announce, upstreamOrigin } from "./process.ts";

const pool = new Pool(upstreamOrigin(), { connections: null, pipelining: 1 });
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    pool.dispatch(
      {
        path: "/v1/chat/completions",
        method: "POST",
        headers: { "content-type": "application/json" },
        body: Buffer.concat(parts),
        bodyTimeout: 0,
      },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, status, headers) => {
          const length = headers["content-length"];
          response.writeHead(status, {
            "content-type": String(headers["content-type"]),
            ...(length === undefined ? {} : { "content-length": String(length) }),
          });
        },
        onResponseData: (_controller, data) => void response.write(data),
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    );
  });
});
server.keepAliveTimeout = 60_000;
await announce(server);
