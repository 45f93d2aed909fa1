// A reader that takes nothing costs its own line and nothing else: the writer goes on, other readers get all, and memory
// stays where it was. If this fails, one phone in a tunnel slows a model down for everybody, or fills the memory.
//
// BYOM_SLOW_READER_MIB=1024 is the full size.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { ringBytesMax } from "../../../../gateway/limits.ts";
import { EventLog } from "../../../../gateway/stream/event-log.ts";
import { Journal } from "../../../../gateway/stream/journal.ts";
import { pump } from "../../../../gateway/stream/pump.ts";

const totalBytes = Number(process.env["BYOM_SLOW_READER_MIB"] ?? 32) * 2 ** 20;
const event = Buffer.alloc(16 * 1024, "x");
const count = totalBytes / event.length;

let directory: string;
let journal: Journal;
let log: EventLog;
let server: Server;
/** Bytes that wait for each reader, the most that there were. */
const waiting = new Map<string, number>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-pump-"));
  journal = new Journal({ directory, clock: Date.now });
  log = new EventLog({ id: "run", journal });
  log.keep({ facts: "{}", ttlMs: undefined });
  server = createServer((incoming, response) => {
    response.writeHead(200);
    const name = incoming.url ?? "";
    const write = response.write.bind(response) as (chunk: Buffer) => boolean;
    response.write = ((chunk: Buffer) => {
      const isTaken = write(chunk);
      waiting.set(name, Math.max(waiting.get(name) ?? 0, response.writableLength));
      return isTaken;
    }) as typeof response.write;
    void pump({
      log,
      response,
      renderer: { render: ({ data }) => data },
      from: 0,
      isSilent: false,
      comment: () => "",
      deadlines: { keepAliveMs: 60_000, stalledReaderMs: 60_000 },
      signal: new AbortController().signal,
    }).catch(() => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  journal.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(name: string): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo;
  const asked = request({ port, host: "127.0.0.1", path: name }).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return response;
}

async function readAll(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return bytes;
}

it("goes on at full speed beside a reader that takes nothing, and bounds what waits for it", async () => {
  const slow = await open("/slow");
  slow.pause();
  const fast = readAll(await open("/fast"));
  let memoryMax = 0;
  for (let index = 0; index < count; index += 1) {
    log.append("raw", event);
    if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    memoryMax = Math.max(memoryMax, log.memoryBytes);
  }
  log.append("completed", Buffer.alloc(0));
  log.end("{}");
  expect(await fast).toBe(totalBytes);
  expect(memoryMax).toBeLessThan(ringBytesMax + 5 * event.length);
  expect(waiting.get("/slow")).toBeLessThan(2 * 256 * 1024);
  // It lost nothing for that.
  expect(await readAll(slow)).toBe(totalBytes);
});
