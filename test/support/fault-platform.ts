import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  createGateway,
  standardShape,
  type CatalogEntry,
  type GatewayOptions,
  type Provider,
  type Upstream,
} from "../../gateway/index.ts";
import type { CallRecord } from "../../gateway/telemetry/call-record.ts";
import type { Leg, LegBegin } from "../../gateway/route/leg.ts";
import { adapters } from "../../gateway/upstream/provider/adapters/index.ts";
import { MemoryPredictions } from "../unit/gateway/harness.ts";

export const platformKey = "byom_key_of_the_platform";

/** A gateway on a real port, and everything that it tells its ledger and its logs. */
export interface FaultPlatform {
  readonly url: string;
  readonly begun: readonly LegBegin[];
  readonly ended: readonly Leg[];
  readonly calls: readonly CallRecord[];
  /** Faults that the gateway admits to. */
  readonly ownFaults: readonly string[];
  close(): Promise<void>;
}

export interface FaultPlatformOptions {
  readonly entries: readonly CatalogEntry[];
  /** By the provider's name, its adapter and the origin at which it is called now; undefined for an unknown name. */
  readonly providerOf: (
    name: string,
  ) => { readonly adapter: Provider["adapter"]["id"]; readonly origin: string } | undefined;
  /** Where an instance of this model answers. */
  readonly instanceOf: (modelId: string) => string;
  readonly gateway?: Partial<GatewayOptions>;
}

export async function startFaultPlatform(options: FaultPlatformOptions): Promise<FaultPlatform> {
  const { entries, providerOf, instanceOf } = options;
  const directory = await mkdtemp(join(tmpdir(), "byom-faults-"));
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const [begun, ended, calls, ownFaults] = [
    new Array<LegBegin>(),
    new Array<Leg>(),
    new Array<CallRecord>(),
    new Array<string>(),
  ];
  const gateway = createGateway({
    upstream: instances(instanceOf),
    catalog: { get: (id) => byId.get(id), list: () => entries },
    providers: {
      get(name) {
        const found = providerOf(name);
        const adapter = found === undefined ? undefined : adapters.get(found.adapter);
        if (found === undefined || adapter === undefined) return undefined;
        return { name, adapter, baseUrl: `${found.origin}/v1`, key: "sk-of-the-operator" };
      },
      list: () => [],
    },
    keys: {
      verify: (secret) =>
        secret === platformKey ? { id: "key-1", name: "app", scopes: ["call"] } : undefined,
    },
    predictions: new MemoryPredictions(),
    dataDirectory: directory,
    onEvent: (event) => {
      if (event.type === "request-end" && event.error?.code === "internal") {
        ownFaults.push(`${event.path}: ${String((event.cause as Error).stack ?? event.cause)}`);
      }
    },
    watch: {
      onLegBegin: (leg) => begun.push(leg),
      onLegEnd: (leg) => ended.push(leg),
      onCall: (call) => calls.push(call),
    },
    ...options.gateway,
  });
  const server = createServer((request, response) => {
    void gateway.handle(request, response).then((isHandled) => {
      if (!isHandled) response.writeHead(418).end("not the gateway's");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    begun,
    ended,
    calls,
    ownFaults,
    async close() {
      await gateway.close({ signal: AbortSignal.abort() });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function instances(instanceOf: (modelId: string) => string): Upstream {
  return {
    acquire: (modelId, { version }) =>
      Promise.resolve({
        origin: instanceOf(modelId),
        instanceId: "i-1",
        version: version ?? 1,
        start: { mode: "running", totalMs: 0, phases: [] },
        release: () => undefined,
      }),
  };
}

/** A text model of the catalog with these upstreams; own models have one that is their deployment. */
export function textModel(
  id: string,
  fields: Pick<CatalogEntry, "upstreams"> & Partial<CatalogEntry>,
): CatalogEntry {
  const { inputSchema, outputSchema, isStreaming, requestFormats } =
    standardShape("text-generation");
  return {
    id,
    description: "A language model",
    task: "text-generation",
    inputSchema,
    outputSchema,
    isStreaming,
    requestFormats,
    hardware: "",
    version: 1,
    digest: `sha256:${"ab".repeat(32)}`,
    createdAt: "2026-11-01T00:00:00.000Z",
    prices: [
      { unit: "input-token", per: 1_000_000, usd: "1" },
      { unit: "output-token", per: 1_000_000, usd: "2" },
    ],
    ...fields,
  };
}
