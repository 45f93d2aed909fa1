import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { AddressInfo } from "node:net";
import { request } from "undici";
import { end, type ServerProcess } from "./process.ts";

const startTimeoutMs = 30_000;

/** Portkey's open-source gateway, as its package starts it. */
export async function startPortkey(signal: AbortSignal): Promise<ServerProcess> {
  const require = createRequire(import.meta.url);
  const script = require.resolve("@portkey-ai/gateway/build/start-server.js");
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [script, "--headless", `--port=${port}`], {
    stdio: "ignore",
    env: { ...process.env, NODE_ENV: "production", TRUSTED_CUSTOM_HOSTS: "127.0.0.1,localhost" },
  });
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Portkey ended with exit code ${child.exitCode}`);
    const status = await request(origin, { signal: deadline }).then(
      async ({ statusCode, body }) => {
        await body.dump();
        return statusCode;
      },
      () => undefined,
    );
    if (status !== undefined) break;
    await delay(100, undefined, { signal: deadline });
  }
  return { origin, facts: {}, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => end(child) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
