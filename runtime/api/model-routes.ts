import type { DeployRequest } from "../deployment/deploy.ts";
import { readBody } from "./body.ts";
import { RequestError } from "./failure.ts";
import type { ApiCall, Route } from "./route.ts";
import { deployBody, modelIdPattern, promoteBody, rollbackBody, scaleBody } from "./schemas.ts";
import { streamed } from "./stream.ts";

/** Operations on models: deploy and what changes or shows a deployment. */
export const modelRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/models",
    summary: "Models that are deployed",
    scope: "deploy",
    handle: ({ runtime }) => ({ models: runtime.models() }),
  },
  {
    method: "GET",
    path: "/models/{owner}/{name}",
    summary: "One model with its deployment, live version and instances",
    scope: "deploy",
    handle: (call) => call.runtime.model(modelIdOf(call)),
  },
  {
    method: "DELETE",
    path: "/models/{owner}/{name}",
    summary: "Removes a model with its versions, instances and snapshots",
    scope: "admin",
    status: 204,
    handle: (call) => call.runtime.removeModel(modelIdOf(call), changeOptions(call)),
  },
  {
    method: "GET",
    path: "/models/{owner}/{name}/versions",
    summary: "Versions, newest first",
    scope: "deploy",
    handle: (call) => ({ versions: call.runtime.versions(modelIdOf(call)) }),
  },
  {
    method: "GET",
    path: "/models/{owner}/{name}/releases",
    summary: "Changes of the deployment, newest first",
    scope: "deploy",
    handle: (call) => ({ releases: call.runtime.releases(modelIdOf(call)) }),
  },
  {
    method: "POST",
    path: "/models/{owner}/{name}/deployments",
    summary: "Deploys an image; with Accept: application/x-ndjson the progress is streamed",
    scope: "deploy",
    status: 201,
    body: deployBody,
    handle: deploy,
  },
  {
    method: "POST",
    path: "/models/{owner}/{name}/promote",
    summary: "Gives a version its share of the traffic once it is ready",
    scope: "deploy",
    body: promoteBody,
    handle: async (call) =>
      await call.runtime.promote(
        modelIdOf(call),
        await readBody(call.request, promoteBody),
        changeOptions(call),
      ),
  },
  {
    method: "POST",
    path: "/models/{owner}/{name}/rollback",
    summary: "Goes back to the release before, or to a version",
    scope: "deploy",
    body: rollbackBody,
    handle: async (call) =>
      await call.runtime.rollback(
        modelIdOf(call),
        await readBody(call.request, rollbackBody),
        changeOptions(call),
      ),
  },
  {
    method: "POST",
    path: "/models/{owner}/{name}/scale",
    summary: "Changes the scaling, or lets the idle instances go now",
    scope: "deploy",
    body: scaleBody,
    handle: scale,
  },
];

async function deploy(call: ApiCall): Promise<unknown> {
  const { request, runtime, owner, signal } = call;
  const { onConflict, ...body } = await readBody(request, deployBody);
  if (body.settings?.mounts !== undefined && !owner.scopes.includes("admin")) {
    throw new RequestError(
      403,
      "forbidden",
      "mounts give a container the host's files: only a key with the admin scope may set them",
    );
  }
  const deployRequest: DeployRequest = { ...body, modelId: modelIdOf(call), createdBy: owner.name };
  const conflict = onConflict === undefined ? {} : { onConflict };
  return await streamed(call, (onEvent) =>
    runtime.deploy(deployRequest, { signal, onEvent, ...conflict }),
  );
}

async function scale(call: ApiCall): Promise<unknown> {
  const modelId = modelIdOf(call);
  const { to, nextStart, ...scaling } = await readBody(call.request, scaleBody);
  if (Object.keys(scaling).length > 0) {
    await call.runtime.scale(modelId, scaling, changeOptions(call));
  }
  if (to !== undefined) {
    await call.runtime.scaleToZero(modelId, {
      tier: to,
      ...(nextStart !== undefined && { nextStart }),
    });
  }
  return call.runtime.model(modelId);
}

/** `owner/name` of the path. @throws RequestError 400 */
export function modelIdOf({ parameters }: ApiCall): string {
  const modelId = `${parameters["owner"]}/${parameters["name"]}`;
  if (modelIdPattern.test(modelId)) return modelId;
  throw new RequestError(
    400,
    "invalid_model_id",
    `${modelId} is no model id`,
    "owner/name in lower case letters, digits, dots, dashes and underscores",
  );
}

function changeOptions({ owner, signal }: ApiCall): { by: string; signal: AbortSignal } {
  return { by: owner.name, signal };
}
