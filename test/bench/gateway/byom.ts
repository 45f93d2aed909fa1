// byom's gateway as `byom up` composes it, with the platform's own store and keys, and one provider.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGateway, standardShape, type CatalogEntry } from "../../../gateway/index.ts";
import { adapters } from "../../../gateway/upstream/provider/adapters/index.ts";
import { createKeys, openStore } from "../../../runtime/index.ts";
import { announce, upstreamOrigin } from "./process.ts";

const directory = mkdtempSync(join(tmpdir(), "byom-bench-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
const store = openStore({ dataDirectory: directory });
const keys = createKeys(store);
const adapter = adapters.get("openai-compatible");
if (adapter === undefined) throw new Error("there is no adapter for OpenAI's protocol");
const provider = { name: "bench", adapter, baseUrl: `${upstreamOrigin()}/v1`, key: "upstream-key" };
const { inputSchema, outputSchema, isStreaming, requestFormats } = standardShape("text-generation");
const entry: CatalogEntry = {
  id: "bench/chat",
  description: "",
  task: "text-generation",
  inputSchema,
  outputSchema,
  isStreaming,
  requestFormats,
  hardware: "",
  version: 1,
  digest: `sha256:${"0".repeat(64)}`,
  createdAt: "2026-01-01T00:00:00.000Z",
  upstreams: [{ kind: "provider", provider: "bench", model: "upstream" }],
};
const gateway = createGateway({
  upstream: { acquire: () => Promise.reject(new Error("no deployments here")) },
  providers: { get: (name) => (name === "bench" ? provider : undefined), list: () => [provider] },
  catalog: { get: (id) => (id === entry.id ? entry : undefined), list: () => [entry] },
  keys,
  predictions: store.predictions,
  dataDirectory: join(directory, "gateway"),
});
const server = createServer((request, response) => void gateway.handle(request, response));
server.keepAliveTimeout = 60_000;
await announce(server, { key: keys.ensureAdminKey()?.secret ?? "" });
