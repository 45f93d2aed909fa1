import { z } from "zod";

import { NotFoundError } from "../errors.ts";
import type { Secret } from "../secrets/secret.ts";
import { readBody } from "./body.ts";
import { modelIdOf } from "./model-routes.ts";
import type { Route } from "./route.ts";
import { secretName } from "./schemas.ts";

/** A private key, a service account's document; far more is no secret but a file. */
const valueLengthMax = 64 * 1024;

const secretBody: z.ZodType<Pick<Secret, "name" | "scope"> & { value: string }> = z.strictObject({
  name: secretName,
  value: z
    .string()
    .min(1)
    .max(valueLengthMax)
    .refine((value) => !value.includes("\0"), "a value without zero bytes"),
  scope: z.enum(["run", "setup"]).default("run"),
});

/** Secrets of models. Whoever may deploy a model may set them, since its code reads them; no answer has a value. */
export const secretRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/models/{owner}/{name}/secrets",
    summary: "Names and scopes of a model's secrets, never their values",
    scope: "deploy",
    handle: (call) => ({ secrets: call.runtime.secrets.list(modelIdOf(call)) }),
  },
  {
    method: "POST",
    path: "/models/{owner}/{name}/secrets",
    summary:
      "Gives a model a secret, or another value for it; instances that start from now on have it",
    scope: "deploy",
    status: 201,
    body: secretBody,
    handle: async (call) => {
      const modelId = modelIdOf(call);
      const { name, value, scope } = await readBody(call.request, secretBody);
      call.runtime.secrets.set({ modelId, name, scope }, value);
      return call.runtime.secrets.list(modelId).find((secret) => secret.name === name);
    },
  },
  {
    method: "DELETE",
    path: "/models/{owner}/{name}/secrets/{secret}",
    summary: "Takes a secret from a model; instances that run keep it until they end",
    scope: "deploy",
    status: 204,
    handle: (call) => {
      const [modelId, name] = [modelIdOf(call), call.parameters["secret"] ?? ""];
      if (call.runtime.secrets.remove(modelId, name)) return;
      throw new NotFoundError("secret_not_found", `${modelId} has no secret ${name}`, {
        hint: `byom secrets list ${modelId}`,
      });
    },
  },
];
