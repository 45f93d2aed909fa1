import { z } from "zod";

import { NotFoundError } from "../errors.ts";
import { readBody } from "./body.ts";
import type { Route } from "./route.ts";

/** Their bounds are the library's: a name for a file, a PEM of a few hundred characters. */
const trustBody = z.strictObject({
  name: z.string().min(1).max(64),
  /** PEM, SubjectPublicKeyInfo of an Ed25519 key. */
  publicKey: z.string().min(1).max(4096),
});

/** Whose snapshots this platform accepts. A snapshot is a program's memory: who may sign one may run code here. */
export const snapshotKeyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/snapshot-keys",
    summary: "This platform's public key, and the keys of others whose snapshots it accepts",
    scope: "admin",
    handle: async ({ runtime }) => {
      const [own, ...trusted] = await runtime.snapshotKeys().list();
      return { own, trusted };
    },
  },
  {
    method: "POST",
    path: "/snapshot-keys",
    summary: "Accepts snapshots that are signed by a key; a name that is taken gets the new key",
    scope: "admin",
    status: 201,
    body: trustBody,
    handle: async ({ runtime, request }) => {
      const { name, publicKey } = await readBody(request, trustBody);
      return await runtime.snapshotKeys().trust(name, publicKey);
    },
  },
  {
    method: "DELETE",
    path: "/snapshot-keys/{name}",
    summary: "Accepts no more snapshots of a key; those that were accepted stay",
    scope: "admin",
    status: 204,
    handle: async ({ runtime, parameters }) => {
      const name = parameters["name"] ?? "";
      if (await runtime.snapshotKeys().distrust(name)) return;
      throw new NotFoundError(
        "snapshot_key_not_found",
        `no key is trusted under the name ${name}`,
        {
          hint: "`byom snapshot trust` lists them",
        },
      );
    },
  },
];
