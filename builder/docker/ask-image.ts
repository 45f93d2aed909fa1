import { readFile } from "node:fs/promises";
import type { Container } from "dockerode";
import type { OnBuilderEvent } from "../events.ts";
import type { Image } from "../image.ts";
import type { OpenApiDocument, Plan } from "../plan/plan.ts";
import { type ImageAnswer, readImageAnswer } from "../python-schema/index.ts";
import type { BuilderStore } from "../store.ts";
import type { DockerEngine } from "./connect.ts";
import { readLogs } from "./container.ts";
import { requestEngine } from "./errors.ts";

/** Importing a model takes seconds; one that waits for a network or a GPU must not hold the build. */
const answerTimeoutMs = 300_000;

/**
 * The document with what only the built image knows. Images without questions are not asked, and each image is asked
 * once. The source's own document stays where the image cannot be imported; an event says why.
 */
export async function completeDocument(options: {
  readonly plan: Plan;
  readonly engine: DockerEngine;
  readonly store: BuilderStore;
  /** All that the answer depends on: environment, weights and code. */
  readonly key: readonly string[];
  /** Makes the image as far as it is known, so that it can be asked. */
  readonly makeImage: () => Promise<Image>;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<OpenApiDocument | undefined> {
  const { plan, store, onEvent } = options;
  const questions = plan.openApiQuestions ?? [];
  if (questions.length === 0) return plan.openApiSchema;
  const key = options.key.join(" ");
  const remembered = store.find("openapi-answer", key);
  if (remembered !== undefined) return read(remembered, plan).document ?? plan.openApiSchema;
  onEvent?.({ type: "schema-ask-start", questions });
  const startedAt = performance.now();
  const image = await options.makeImage();
  const text = await askImage({ ...options, imageName: image.name });
  const answer = read(text, plan);
  // A failure may have passed the next time: a missing GPU, a server that was down.
  if (answer.document !== undefined) store.remember("openapi-answer", key, text);
  const ms = performance.now() - startedAt;
  onEvent?.({ type: "schema-ask-end", ms, failures: answer.failures });
  return answer.document ?? plan.openApiSchema;
}

function read(text: string, plan: Plan): ImageAnswer {
  return readImageAnswer(text, plan.cogVersion.value);
}

async function askImage(options: {
  readonly plan: Plan;
  readonly engine: DockerEngine;
  readonly imageName: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<string> {
  const { plan, engine, signal } = options;
  const source = await readFile(new URL("../python-schema/ask-image.py", import.meta.url), "utf8");
  const container = await requestEngine("ask the image for its inputs", { signal }, () =>
    engine.docker.createContainer({
      Image: options.imageName,
      Cmd: ["python", "-c", source, plan.predictor ?? "-", plan.trainer ?? "-"],
      Labels: { "byom.role": "schema" },
      HostConfig: { LogConfig: { Type: "json-file", Config: {} } },
      ...(signal === undefined ? {} : { abortSignal: signal }),
    }),
  );
  try {
    await container.start();
    await waitForEnd(container, signal);
    return (await readLogs({ engine, container, streams: "stdout" })).trim();
  } finally {
    await container.remove({ force: true });
  }
}

/** Returns when the container has ended or its time is over: what it has printed until then is all there is. */
async function waitForEnd(container: Container, signal: AbortSignal | undefined): Promise<void> {
  const limit = AbortSignal.timeout(answerTimeoutMs);
  const joined = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  try {
    await container.wait({ abortSignal: joined });
  } catch (error) {
    signal?.throwIfAborted();
    if (!limit.aborted) throw error;
  }
}
