import { z } from "zod";

import type { DeployRequest } from "../deployment/deploy.ts";
import type { Scaling } from "../deployment/deployment.ts";
import { modalityNames, modelTasks } from "../deployment/version.ts";
import type { NewKey, Rotation } from "./keys.ts";

/** `owner/name`, each as registries allow it in a repository's path. */
export const modelIdPattern: RegExp =
  /^[a-z0-9]+(?:[._-][a-z0-9]+)*\/[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

const positiveInteger = z.int().positive();
const jsonObject = z.record(z.string(), z.unknown());

const scalingFields = {
  min: z.int().min(0).exactOptional(),
  max: positiveInteger.exactOptional(),
  concurrency: positiveInteger.exactOptional(),
  idleTimeoutMs: positiveInteger.exactOptional(),
  stopTimeoutMs: positiveInteger.exactOptional(),
};

/** As a variable is named, and none that changes how a container runs. */
export const secretName: z.ZodType<string> = z
  .string()
  .max(128)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a name as variables have, such as HF_TOKEN")
  .refine(
    (name) => !/^(?:COG_|BYOM_|LD_|PYTHON)|^PATH$/.test(name),
    "this name changes how a container runs",
  );

const settingsFields = {
  environment: z.record(z.string(), z.string()).exactOptional(),
  mounts: z
    .array(
      z.strictObject({
        source: z.string().startsWith("/"),
        target: z.string().startsWith("/"),
        isReadOnly: z.boolean(),
      }),
    )
    .exactOptional(),
  memoryBytes: positiveInteger.exactOptional(),
  cpus: z.number().positive().exactOptional(),
  gpus: z.union([z.literal("all"), z.array(z.string())]).exactOptional(),
  setupTimeoutMs: positiveInteger.exactOptional(),
  exampleTimeoutMs: positiveInteger.exactOptional(),
  snapshots: z.enum(["auto", "always", "off"]).exactOptional(),
  secrets: z
    .array(z.strictObject({ name: secretName, scope: z.enum(["run", "setup"]) }))
    .exactOptional(),
  gpuSnapshots: z.literal("off").exactOptional(),
};

const cardFields = {
  description: z.string().exactOptional(),
  task: z.enum(modelTasks).exactOptional(),
  requestFormats: z
    .array(z.enum(["predictions", "chat-completions"]))
    .min(1)
    .exactOptional(),
  mapping: z
    .strictObject({
      inputs: z.record(z.string(), z.string()).exactOptional(),
      output: z.string().min(1).exactOptional(),
      chatTemplate: z.string().min(1).exactOptional(),
      templateVariables: z.record(z.string(), z.string()).exactOptional(),
    })
    .exactOptional(),
  modalities: z.array(z.enum(modalityNames)).exactOptional(),
};

/** Body of `POST /models/{owner}/{name}/deployments`. */
export const deployBody: z.ZodType<
  Omit<DeployRequest, "modelId" | "createdBy"> & { readonly onConflict?: "wait" | "fail" }
> = z.strictObject({
  image: z.strictObject({ imageId: z.string().min(1), reference: z.string().min(1) }),
  weightsDigest: z.string().min(1),
  hardware: z.string().exactOptional(),
  settings: z.strictObject(settingsFields).exactOptional(),
  scaling: z.strictObject(scalingFields).exactOptional(),
  card: z.strictObject(cardFields).exactOptional(),
  example: z.strictObject({ input: jsonObject }).exactOptional(),
  gitRevision: z.string().exactOptional(),
  percent: z.int().min(0).max(100).exactOptional(),
  onConflict: z.enum(["wait", "fail"]).exactOptional(),
});

/** Body of `POST …/promote`. */
export const promoteBody: z.ZodType<{ version: number; percent?: number }> = z.strictObject({
  version: positiveInteger,
  percent: z.int().min(1).max(100).exactOptional(),
});

/** Body of `POST …/rollback`. */
export const rollbackBody: z.ZodType<{ version?: number }> = z.strictObject({
  version: positiveInteger.exactOptional(),
});

/** Body of `POST …/scale`: new settings, or `to` for letting the idle instances go now; `nextStart` passes snapshots by. */
export const scaleBody: z.ZodType<
  Partial<Scaling> & { to?: "paused" | "stopped"; nextStart?: "cold" }
> = z.strictObject({
  ...scalingFields,
  to: z.enum(["paused", "stopped"]).exactOptional(),
  nextStart: z.enum(["cold"]).exactOptional(),
});

/** Ten years: whoever wants longer wants a key without an end. */
const keyLifeMaxMs = 10 * 366 * 24 * 60 * 60_000;
/** Thirty days in which a rotated secret may be replaced everywhere. */
const keyGraceMaxMs = 30 * 24 * 60 * 60_000;
/** Patterns of one key's allow-list; each call of such a key looks through them. */
const keyModelsMax = 100;

/** `owner/name`, `owner/*` or `*`. */
const modelPattern = z
  .string()
  .max(200)
  .regex(/^(?:[^\s,*]+\*?|\*)$/, "a model id such as owner/name, or owner/*");
const expiresInMs = positiveInteger.max(keyLifeMaxMs).exactOptional();

/** Body of `POST /keys`. */
export const keyBody: z.ZodType<NewKey> = z
  .strictObject({
    name: z.string().min(1).max(100),
    scopes: z.array(z.enum(["admin", "deploy", "call"])).min(1),
    models: z.array(modelPattern).min(1).max(keyModelsMax).exactOptional(),
    expiresInMs,
  })
  .refine(({ scopes, models }) => models === undefined || !scopes.includes("admin"), {
    path: ["models"],
    message: "an admin key makes keys for every model: it cannot be for some models only",
  });

/** Body of `POST /keys/{id}/rotate`. */
export const rotateKeyBody: z.ZodType<Rotation> = z.strictObject({
  graceMs: z.int().min(0).max(keyGraceMaxMs).exactOptional(),
  expiresInMs,
});

/** A problem with a body, as one line per field. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`)
    .join("; ");
}
