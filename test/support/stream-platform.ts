import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { createGateway, standardShape, type CatalogEntry } from "../../gateway/index.ts";
import { adapters } from "../../gateway/upstream/provider/adapters/index.ts";
import { openStore } from "../../runtime/index.ts";
import { chatModel } from "../unit/gateway/harness.ts";
import { ownModel, streamPlatformKey, theirModel } from "./stream-platform-names.ts";

// A platform as a process of its own, so that it can be killed: the gateway over one fake instance and one provider,
// with its data on the disk. Prints its port; notes each leg and call, as ledger and logs are told, in a file.

export interface StreamPlatformOptions {
  readonly directory: string;
  /** 0: any free port. */
  readonly port: number;
  /** Where the instance of `acme/chat` answers. */
  readonly instance: string;
  /** Base URL of the provider of `them/chat`. */
  readonly provider: string;
  /** JSON lines `{type, callId}` are appended here. */
  readonly notes: string;
}

const options = JSON.parse(process.argv[2] ?? "{}") as StreamPlatformOptions;
const { directory, port, instance, provider, notes } = options;

const entries: readonly CatalogEntry[] = [
  { ...chatModel, id: ownModel },
  {
    ...chatModel,
    ...standardShape("text-generation"),
    id: theirModel,
    upstreams: [{ kind: "provider", provider: "them", model: "theirs" }],
  },
];
const adapter = adapters.get("openai-compatible");
if (adapter === undefined) throw new Error("no adapter for OpenAI's protocol");
const them = { name: "them", adapter, baseUrl: provider, key: "sk-of-the-operator" };
const note = (type: string, callId: string): void =>
  appendFileSync(notes, `${JSON.stringify({ type, callId })}\n`);
const store = openStore({ dataDirectory: join(directory, "platform") });

const gateway = createGateway({
  upstream: {
    acquire: () =>
      Promise.resolve({
        origin: instance,
        instanceId: "i-1",
        version: 3,
        start: { mode: "running", totalMs: 0, phases: [] },
        release: () => undefined,
      }),
  },
  catalog: { get: (id) => entries.find((entry) => entry.id === id), list: () => entries },
  providers: { get: (name) => (name === "them" ? them : undefined), list: () => [them] },
  keys: {
    verify: (secret) =>
      secret === streamPlatformKey ? { id: "key-1", name: "app", scopes: ["call"] } : undefined,
  },
  predictions: store.predictions,
  dataDirectory: join(directory, "gateway"),
  // Clients of a loaded machine come back late.
  deadlines: { callerGraceMs: 60_000 },
  onEvent: (event) => {
    if (event.type === "stream-recover") note("recover", event.predictionId);
    if (event.type === "request-end" && event.error?.code === "internal") {
      note("fault", `${event.path}: ${String((event.cause as Error).stack ?? event.cause)}`);
    }
  },
  watch: {
    onLegBegin: ({ callId }) => note("begin", callId),
    onLegEnd: ({ callId }) => note("end", callId),
  },
});
const server = createServer((request, response) => {
  void gateway.handle(request, response).then((isHandled) => {
    if (!isHandled) response.writeHead(418).end("not the gateway's");
  });
});
server.listen(port, "127.0.0.1", () => {
  gateway.recover();
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
