import { pushBuiltImage, type DeploySettings } from "../../builder/index.ts";
import { loadHostSettings } from "../../host/index.ts";
import {
  createRegistryClient,
  loadCredentials,
  parseReference,
  proxyFromEnvironment,
  type PushedImage,
} from "../../registry-client/index.ts";
import type { Command, Flags } from "../command.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { formatBytes, formatDuration } from "../output.ts";
import { connectPlatform, type PlatformClient } from "../platform-client.ts";
import { readExampleInput } from "../prediction-input.ts";
import { readMapping } from "../model-mapping.ts";
import { createBuildReporter, createUploadReporter } from "../report/build.ts";
import { createDeployReporter, type Deployed } from "../report/deploy.ts";
import { loadRepository, planOptions, readPlanFlags, type Repository } from "../repository.ts";
import { assertSecrets } from "../required-secrets.ts";
import { buildRepository } from "./build.ts";

const modelIdPattern = /^[a-z0-9][\w.-]*\/[a-z0-9][\w.-]*$/;

export const push: Command = {
  usage: "[OWNER/NAME | REGISTRY/OWNER/NAME[:TAG]] [--no-deploy]",
  positionals: { min: 0, max: 1 },
  options: {
    ...planOptions,
    "no-deploy": { type: "boolean", help: "stop after the registry" },
    percent: {
      type: "string",
      value: "N",
      help: "share of the traffic for this version (default 100)",
    },
  },
  async run({ positionals, flags, context }) {
    const startedAt = performance.now();
    const repository = await loadRepository(context, readPlanFlags(flags));
    const target = await findTarget(context, repository, positionals[0]);
    const percent = readPercent(flags);
    const mapping = await mappingOf(context, repository);
    // Whether there is a platform to deploy to is known before minutes go into a build.
    const platform = flags.has("no-deploy") ? undefined : await connectPlatform(context);
    await platform?.call("GET", "/api/v1/status");
    if (platform !== undefined) {
      await assertSecrets({ platform, modelId: target.modelId, settings: repository.settings });
    }
    const { image, engine } = await buildRepository(context, repository);
    const pushed = await pushToRegistry(context, { image, engine, target });
    if (platform === undefined) {
      const { reference, digest } = pushed;
      return context.output.answer(reference, {
        reference,
        digest,
        uploadedBytes: pushed.uploadedBytes,
      });
    }
    const deployed = await deploy(context, {
      platform,
      repository,
      target,
      image,
      pushed,
      percent,
      mapping,
    });
    context.output.note(`done in ${formatDuration(performance.now() - startedAt)}`);
    context.output.answer(renderPushed(platform.access.url, target.modelId, pushed, deployed), {
      model: target.modelId,
      version: deployed.version,
      digest: pushed.digest,
      reference: pushed.reference,
      isChanged: deployed.isChanged,
      snapshot: deployed.snapshot,
      url: `${platform.access.url}/models/${target.modelId}`,
      uploadedBytes: pushed.uploadedBytes,
    });
  },
};

interface Target {
  readonly modelId: string;
  /** `host:port`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** The argument, byom.yaml's `model`, or cog.yaml's `image`; the registry is the host's unless the name has one. */
async function findTarget(
  context: Context,
  repository: Repository,
  argument: string | undefined,
): Promise<Target> {
  const host = await loadHostSettings(context.directories, { signal: context.signal });
  const name = argument ?? repository.settings.model ?? imageKey(repository);
  if (name === undefined) {
    throw new UsageError(
      "push needs a model id",
      "byom push OWNER/NAME, or `model: owner/name` in byom.yaml",
    );
  }
  const registry = context.environment["BYOM_REGISTRY"] ?? host.registry?.address;
  if (modelIdPattern.test(name)) {
    if (registry === undefined) {
      throw new UsageError(
        "no registry is set up on this machine",
        "run `byom host setup`, set BYOM_REGISTRY=HOST[:PORT], or name it: byom push REGISTRY/OWNER/NAME",
      );
    }
    return { modelId: name, registry, repository: name, tag: "latest" };
  }
  const reference = parseReference(name);
  const modelId = reference.repository.split("/").slice(-2).join("/");
  if (!modelIdPattern.test(modelId)) {
    throw new UsageError(
      `"${name}" is not OWNER/NAME`,
      "lower-case letters, digits, `-`, `_`, `.` on both sides",
    );
  }
  return {
    modelId,
    registry: reference.registry,
    repository: reference.repository,
    tag: reference.tag ?? "latest",
  };
}

/** `image:` of cog.yaml, when it is a name with an owner. */
function imageKey({ plan }: Repository): string | undefined {
  return plan.imageName.includes("/") ? plan.imageName : undefined;
}

function readPercent(flags: Flags): number | undefined {
  const text = flags.text("percent");
  if (text === undefined) return undefined;
  const percent = Number(text);
  if (!Number.isInteger(percent) || percent < 0 || percent > 100) {
    throw new UsageError(
      `--percent ${text}: expected a whole number from 0 to 100`,
      "--percent 10",
    );
  }
  return percent;
}

async function mappingOf(
  context: Context,
  { settings, plan, directory }: Repository,
): Promise<DeploySettings["mapping"]> {
  const { mapping } = settings;
  if (mapping === undefined) return undefined;
  const { signal } = context;
  return await readMapping({ mapping, directory, document: plan.openApiSchema, signal });
}

async function pushToRegistry(
  context: Context,
  {
    image,
    engine,
    target,
  }: Pick<Parameters<typeof pushBuiltImage>[0], "image" | "engine"> & { target: Target },
): Promise<PushedImage> {
  const { environment, homeDirectory, signal, output } = context;
  const { registry } = target;
  const credentials = await loadCredentials({ registry, environment, homeDirectory, signal });
  const onEvent = createUploadReporter(output);
  return await pushBuiltImage({
    image,
    engine,
    client: createRegistryClient({
      registry,
      proxy: proxyFromEnvironment(environment),
      ...(credentials !== undefined && { credentials }),
      onEvent,
    }),
    repository: target.repository,
    tag: target.tag,
    dataDirectory: context.directories.data,
    onEvent: createBuildReporter(output, context.isVerbose),
    signal,
  });
}

async function deploy(
  context: Context,
  options: {
    platform: PlatformClient;
    repository: Repository;
    target: Target;
    image: { id: string; weightsDigest: string };
    pushed: PushedImage;
    percent: number | undefined;
    mapping: DeploySettings["mapping"];
  },
): Promise<Deployed> {
  const { platform, repository, target, image, pushed, percent, mapping } = options;
  const { settings, plan, directory } = repository;
  const example = settings.example && {
    input: await readExampleInput({
      input: settings.example.input,
      directory,
      signal: context.signal,
    }),
  };
  const reporter = createDeployReporter(context.output);
  await platform.follow(
    `/api/v1/models/${target.modelId}/deployments`,
    {
      image: { imageId: image.id, reference: pushed.reference },
      weightsDigest: image.weightsDigest,
      settings: versionSettings(settings),
      ...(settings.scaling !== undefined && { scaling: settings.scaling }),
      card: {
        ...(settings.description !== undefined && { description: settings.description }),
        ...(settings.task !== undefined && { task: settings.task }),
        ...(settings.modalities !== undefined && { modalities: settings.modalities }),
        ...(mapping !== undefined && { mapping }),
      },
      ...(example !== undefined && { example }),
      ...gitRevision(plan.labels),
      ...(percent !== undefined && { percent }),
    },
    reporter.onEvent,
  );
  return reporter.result();
}

function versionSettings(settings: DeploySettings): Record<string, unknown> {
  return {
    ...(settings.memoryBytes !== undefined && { memoryBytes: settings.memoryBytes }),
    ...(settings.cpus !== undefined && { cpus: settings.cpus }),
    ...(settings.setupTimeoutMs !== undefined && { setupTimeoutMs: settings.setupTimeoutMs }),
    ...(settings.predictionTimeoutMs !== undefined && {
      exampleTimeoutMs: settings.predictionTimeoutMs,
    }),
    ...(settings.gpus !== undefined && { gpus: settings.gpus }),
    ...(settings.gpuSnapshot === false && { gpuSnapshots: "off" }),
    ...(settings.secrets !== undefined && { secrets: settings.secrets }),
    ...(settings.snapshot !== undefined && { snapshots: snapshotSetting(settings.snapshot) }),
  };
}

function snapshotSetting(snapshot: boolean | "always"): "auto" | "always" | "off" {
  if (snapshot === "always") return "always";
  return snapshot ? "auto" : "off";
}

function gitRevision(labels: Readonly<Record<string, string>>): { gitRevision?: string } {
  const revision = labels["org.opencontainers.image.revision"];
  return revision === undefined ? {} : { gitRevision: revision };
}

function renderPushed(
  url: string,
  modelId: string,
  pushed: PushedImage,
  deployed: Deployed,
): string {
  const snapshot =
    "id" in deployed.snapshot
      ? `${deployed.snapshot.id} (${formatBytes(deployed.snapshot.sizeBytes)})`
      : `none: ${deployed.snapshot.reason}`;
  return [
    `model     ${modelId}`,
    `version   ${deployed.version}${deployed.isChanged ? "" : " (unchanged)"}`,
    `digest    ${pushed.digest}`,
    `snapshot  ${snapshot}`,
    `endpoint  ${url}/models/${modelId}/predictions`,
    `also      ${url}/v1  (OpenAI, Replicate)   ${url}/client/v4/accounts/local/ai/run/${modelId}`,
    "",
    `curl -H "Authorization: Bearer $BYOM_API_KEY" -H "Content-Type: application/json" \\`,
    `  ${url}/models/${modelId}/predictions -d '{"input": {…}}'`,
  ].join("\n");
}
