import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { OnBuilderEvent } from "../events.ts";
import { readSegments } from "../layer/segment.ts";
import type { Segment } from "../layer/segment.ts";
import { followBuild } from "./build-stream.ts";
import type { DockerEngine } from "./connect.ts";
import { requestEngine } from "./errors.ts";
import type { LoadedHostTrust } from "./trust.ts";

/**
 * POST /build with BuildKit and without a session: the base image is in the engine already, so BuildKit needs
 * no credentials. Closing the connection cancels the solve; the explicit request covers proxies in between.
 */
export async function solve(options: {
  readonly engine: DockerEngine;
  /** The context's archive. */
  readonly segments: readonly Segment[];
  /** Path of the Dockerfile in it. */
  readonly dockerfile: string;
  readonly platform: string;
  /** The tag of the result. */
  readonly reference: string;
  readonly trust: LoadedHostTrust;
  readonly onEvent?: OnBuilderEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<void> {
  const { engine, segments, trust, reference, onEvent, signal } = options;
  const buildId = randomUUID();
  const archive = Readable.from(readSegments({ segments, signal }), { objectMode: false });
  try {
    const stream = await startBuild({
      engine,
      archive,
      signal,
      query: {
        version: "2",
        buildid: buildId,
        dockerfile: options.dockerfile,
        t: reference,
        platform: options.platform,
        buildargs: JSON.stringify(trust.proxies),
        ...(hasLoopbackProxy(trust) ? { networkmode: "host" } : {}),
      },
    });
    await followBuild({ stream, onEvent });
  } catch (error) {
    if (signal?.aborted === true) {
      await cancelBuild({ engine, buildId });
      signal.throwIfAborted();
    }
    throw error;
  } finally {
    archive.destroy();
  }
}

/** A proxy on this machine's loopback is reached only from the host's network. */
function hasLoopbackProxy(trust: LoadedHostTrust): boolean {
  return Object.entries(trust.proxies).some(
    ([name, value]) =>
      !/^no_proxy$/i.test(name) && /^(\w+:\/\/)?(.*@)?(localhost|127\.|\[::1\])/.test(value),
  );
}

async function startBuild(options: {
  engine: DockerEngine;
  archive: Readable;
  query: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}): Promise<Readable> {
  const { engine, archive, query, signal } = options;
  return await requestEngine("start the build", { signal }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<Readable>();
    const request = {
      path: "/build?",
      method: "POST",
      options: query,
      file: archive,
      isStream: true,
      ...(signal === undefined ? {} : { abortSignal: signal }),
      statusCodes: { 200: true, 400: "bad parameter", 500: "server error" },
    };
    engine.docker.modem.dial(request, (error: unknown, stream: unknown) => {
      if (error !== null && error !== undefined) reject(error);
      else resolve(stream as Readable);
    });
    return promise;
  });
}

async function cancelBuild(options: { engine: DockerEngine; buildId: string }): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const request = {
    path: "/build/cancel?",
    method: "POST",
    options: { id: options.buildId },
    statusCodes: { 200: true, 204: true, 404: true, 500: "server error" },
  };
  // The connection is closed already: a failure here changes nothing.
  options.engine.docker.modem.dial(request, () => resolve());
  await promise;
}
