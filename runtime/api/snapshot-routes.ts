import { z } from "zod";

import type { SnapshotTarget } from "../deployment/snapshot-verbs.ts";
import { readBody } from "./body.ts";
import { RequestError } from "./failure.ts";
import { isForModel } from "./keys.ts";
import type { ApiCall, Route } from "./route.ts";
import { modelIdPattern } from "./schemas.ts";
import { streamed } from "./stream.ts";

const model = z.string().regex(modelIdPattern, "a model id such as owner/name");
const version = z.int().positive().exactOptional();
/** `registry/repository[@digest]`; registries allow 255 characters of a repository. */
const reference = z.string().min(1).max(512).exactOptional();

const createBody = z.strictObject({ model, version });
const pushBody = z.union([
  z.strictObject({ snapshot: z.string().min(1).max(200), reference }),
  z.strictObject({ model, version, reference }),
]);
const pullBody = z.union([
  z.strictObject({ model, version, reference }),
  z.strictObject({ reference: z.string().min(1).max(512) }),
]);

/** Snapshots: what there is, what it is good for, and what an operator does with it. */
export const snapshotRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/snapshots",
    summary: "Snapshots with their status, versions, uses, and whether they pay",
    scope: "deploy",
    handle: async ({ runtime }) => ({ snapshots: await runtime.snapshots() }),
  },
  {
    method: "POST",
    path: "/snapshots",
    summary: "Takes a snapshot now and times both ways of starting; streams as a deploy does",
    scope: "deploy",
    status: 201,
    body: createBody,
    handle: create,
  },
  {
    method: "POST",
    path: "/snapshots/push",
    summary: "Pushes a snapshot, by its ID or its model, beside the image; streams",
    scope: "admin",
    body: pushBody,
    handle: push,
  },
  {
    method: "POST",
    path: "/snapshots/pull",
    summary: "Pulls the snapshot of a model, or of an image, that fits this host; streams",
    scope: "admin",
    body: pullBody,
    handle: pull,
  },
  {
    method: "GET",
    path: "/snapshots/{id}",
    summary: "One snapshot: what it holds, whether it fits this host, what would make it smaller",
    scope: "deploy",
    handle: ({ runtime, parameters, signal }) =>
      runtime.snapshot(parameters["id"] ?? "", { signal }),
  },
  {
    method: "POST",
    path: "/snapshots/{id}/verify",
    summary: "Reads every byte of a snapshot again and compares it with what was captured",
    scope: "deploy",
    handle: ({ runtime, parameters, signal }) =>
      runtime.verifySnapshot(parameters["id"] ?? "", { signal }),
  },
  {
    method: "DELETE",
    path: "/snapshots/{id}",
    summary: "Removes a snapshot; the next start is cold",
    scope: "admin",
    status: 204,
    handle: ({ runtime, parameters }) => runtime.removeSnapshot(parameters["id"] ?? ""),
  },
  {
    method: "GET",
    path: "/instances/{id}/explain",
    summary: "Every decision on an instance's way up, oldest first, ended instances included",
    scope: "deploy",
    handle: async ({ runtime, parameters }) => ({
      decisions: await runtime.explain(parameters["id"] ?? ""),
    }),
  },
];

async function create(call: ApiCall): Promise<unknown> {
  const target = targetOf(await readBody(call.request, createBody));
  if (!isForModel(call.owner, target.modelId)) {
    throw new RequestError(
      403,
      "forbidden",
      `the key ${call.owner.name} is not for ${target.modelId}`,
    );
  }
  return await streamed(call, (onEvent) =>
    call.runtime.createSnapshot(target, { onEvent, signal: call.signal }),
  );
}

async function push(call: ApiCall): Promise<unknown> {
  const body = await readBody(call.request, pushBody);
  const subject = "snapshot" in body ? { snapshotId: body.snapshot } : targetOf(body);
  const { signal } = call;
  return await streamed(call, (onEvent) =>
    call.runtime.pushSnapshot(subject, { reference: body.reference, onEvent, signal }),
  );
}

async function pull(call: ApiCall): Promise<unknown> {
  const body = await readBody(call.request, pullBody);
  const target = "model" in body ? targetOf(body) : undefined;
  const { signal } = call;
  return await streamed(call, (onEvent) =>
    call.runtime.pullSnapshot(target, { reference: body.reference, onEvent, signal }),
  );
}

function targetOf(body: { readonly model: string; readonly version?: number }): SnapshotTarget {
  const { model: modelId, version: number } = body;
  return { modelId, ...(number !== undefined && { version: number }) };
}
