import { z } from "zod";
import type { Digest } from "../../registry-client/index.ts";
import type { DockerEngine } from "./connect.ts";
import { findInEngine, requestEngine } from "./errors.ts";

const digestSchema = z.custom<Digest>(
  (value) => typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value),
);

/** Lists are null rather than empty in answers of older engines. */
const listSchema = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);

const labelsSchema = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const setSchema = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => Object.keys(value ?? {}).toSorted());

/** What byom reads of GET /images/{name}/json (Engine API, "Inspect an image"). */
const engineImageSchema = z.object({
  Id: digestSchema,
  Os: z.string(),
  Architecture: z.string(),
  Variant: z.string().optional(),
  RepoTags: listSchema,
  RootFS: z.object({
    Layers: z
      .array(digestSchema)
      .nullish()
      .transform((value) => value ?? []),
  }),
  Config: z
    .object({
      User: z.string().optional(),
      Env: listSchema,
      Entrypoint: listSchema,
      Cmd: listSchema,
      WorkingDir: z.string().optional(),
      StopSignal: z.string().optional(),
      Labels: labelsSchema,
      ExposedPorts: setSchema,
      Volumes: setSchema,
      Shell: listSchema,
    })
    .nullish(),
});

const historySchema = z.array(
  z.object({ Created: z.number(), CreatedBy: z.string(), Comment: z.string(), Size: z.number() }),
);

/** An image as the engine tells it. */
export interface EngineImage {
  /** Of the config; of the manifest in the containerd store. */
  readonly id: Digest;
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
  readonly diffIds: readonly Digest[];
  readonly user: string;
  readonly variables: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly stopSignal: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** `5000/tcp`. */
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly shell: readonly string[];
}

export interface HistoryEntry {
  /** Unix time in seconds. */
  readonly created: number;
  readonly createdBy: string;
  readonly comment: string;
  readonly sizeBytes: number;
}

/** The image of this name or ID; undefined when the engine does not have it. */
export async function findEngineImage(options: {
  engine: DockerEngine;
  reference: string;
  signal?: AbortSignal | undefined;
}): Promise<EngineImage | undefined> {
  const { engine, reference, signal } = options;
  // The typings do not know that every call takes a signal.
  const request: { manifests?: boolean; abortSignal?: AbortSignal } = {};
  if (signal !== undefined) request.abortSignal = signal;
  const answer = await findInEngine(`inspect the image ${reference}`, { signal }, () =>
    engine.docker.getImage(reference).inspect(request),
  );
  if (answer === undefined) return undefined;
  const { Id: id, RootFS, Config: config, ...image } = engineImageSchema.parse(answer);
  return {
    id,
    os: image.Os,
    architecture: image.Architecture,
    variant: image.Variant,
    diffIds: RootFS.Layers,
    user: config?.User ?? "",
    variables: config?.Env ?? [],
    entrypoint: config?.Entrypoint ?? [],
    command: config?.Cmd ?? [],
    workingDirectory: config?.WorkingDir ?? "",
    stopSignal: config?.StopSignal,
    labels: config?.Labels ?? {},
    exposedPorts: config?.ExposedPorts ?? [],
    volumes: config?.Volumes ?? [],
    shell: config?.Shell ?? [],
  };
}

/** The history, oldest entry first. */
export async function readEngineHistory(options: {
  engine: DockerEngine;
  reference: string;
  signal?: AbortSignal | undefined;
}): Promise<HistoryEntry[]> {
  const { engine, reference, signal } = options;
  const answer: unknown = await requestEngine(`read the history of ${reference}`, { signal }, () =>
    engine.docker.getImage(reference).history(),
  );
  const entries = historySchema.parse(answer).toReversed();
  return entries.map(({ Created, CreatedBy, Comment, Size }) => {
    return { created: Created, createdBy: CreatedBy, comment: Comment, sizeBytes: Size };
  });
}
