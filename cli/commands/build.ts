import {
  buildImage,
  connectEngine,
  loadHostTrust,
  type DockerEngine,
  type Image,
} from "../../builder/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { formatDuration } from "../output.ts";
import { loadRepository, planOptions, readPlanFlags, type Repository } from "../repository.ts";
import { createBuildReporter } from "../report/build.ts";

export const build: Command = {
  usage: "[-t NAME]",
  options: planOptions,
  async run({ flags, context }) {
    const startedAt = performance.now();
    const repository = await loadRepository(context, readPlanFlags(flags));
    const { image } = await buildRepository(context, repository);
    context.output.note(`built in ${formatDuration(performance.now() - startedAt)}`);
    context.output.answer(image.name, {
      image: image.name,
      id: image.id,
      weightsDigest: image.weightsDigest,
      environment: image.environment.reference,
      layers: image.layers.map(({ kind, source }) => ({ kind, ...source.descriptor })),
    });
  },
};

/** Builds a repository that was read; `run`, `serve` and `push` begin with it. */
export async function buildRepository(
  context: Context,
  repository: Repository,
): Promise<{ image: Image; engine: DockerEngine }> {
  const { environment, signal } = context;
  const [engine, trust] = await Promise.all([
    connectEngine({ environment, signal }),
    loadHostTrust({ environment }),
  ]);
  const image = await buildImage({
    plan: repository.plan,
    engine,
    dataDirectory: context.directories.data,
    trust,
    onEvent: createBuildReporter(context.output, context.isVerbose),
    signal,
  });
  return { image, engine };
}
