// A real gateway in a process of its own, that can be killed: two providers serve one model, and every call is on the books.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import {
  createGateway,
  openAdministration,
  type KeyIdentity,
  type PredictionStore,
} from "../../../gateway/index.ts";

const [dataDirectory = ""] = process.argv.slice(2);
const owners: Readonly<Record<string, KeyIdentity>> = {
  byom_admin: { id: "key-admin", name: "admin", scopes: ["admin"] },
  byom_app: { id: "key-app", name: "app", scopes: ["call"] },
};
/** Calls that pass through leave no record. */
const predictions: PredictionStore = {
  insert: () => undefined,
  update: () => undefined,
  get: () => undefined,
  list: () => [],
  unfinished: () => [],
  owingWebhooks: () => [],
  settleWebhooks: () => undefined,
  prune: () => 0,
};
const administration = openAdministration({
  dataDirectory,
  own: { get: () => undefined, list: () => [] },
  environment: {},
});
const gateway = createGateway({
  upstream: { acquire: () => Promise.reject(new Error("no deployments here")) },
  catalog: administration.catalog,
  providers: administration.providers,
  administration,
  keys: { verify: (secret) => owners[secret] },
  predictions,
  dataDirectory,
});
const server = createServer((request, response) => void gateway.handle(request, response));
server.listen(0, "127.0.0.1", () => {
  gateway.recover();
  const { port } = server.address() as AddressInfo;
  process.send?.(`http://127.0.0.1:${port}`);
});
process.once("disconnect", () => process.exit(0));
