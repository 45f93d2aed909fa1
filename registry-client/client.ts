import type { Dispatcher } from "undici";
import type { Credentials } from "./auth/credentials.ts";
import type { BlobSource } from "./blob-source.ts";
import { getBlob, headBlob } from "./blob.ts";
import { RegistryError } from "./errors.ts";
import type { OnRegistryEvent } from "./events.ts";
import {
  deleteManifest,
  getManifest,
  headManifest,
  listTags,
  putManifest,
  type FetchedManifest,
  type ManifestHead,
} from "./manifest.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import type { Digest } from "./oci/digest.ts";
import { dockerHub } from "./oci/reference.ts";
import { listReferrers } from "./referrers.ts";
import { pushBlobStream } from "./stream-upload.ts";
import { Transport } from "./transport/client.ts";
import { createDispatcher, type ProxySettings } from "./transport/dispatcher.ts";
import { idleTimeoutMs as defaultIdleTimeoutMs } from "./transport/exchange.ts";
import { isLoopbackHost } from "./transport/redirect.ts";
import {
  defaultRetryPolicy,
  systemClock,
  type Clock,
  type RetryPolicy,
} from "./transport/retry.ts";
import { findBlob, pushBlob, type BlobPush } from "./upload.ts";

interface WithSignal {
  readonly signal?: AbortSignal | undefined;
}

/** One registry as one account sees it. All methods throw the RegistryError family and the signal's reason. */
export interface RegistryClient {
  /** Host and port as in references. */
  readonly registry: string;
  /** Whether the registry answers and takes our credentials. */
  ping(options?: WithSignal): Promise<void>;
  headBlob(
    repository: string,
    digest: Digest,
    options?: WithSignal,
  ): Promise<{ readonly sizeBytes: number | undefined } | undefined>;
  getBlob(
    repository: string,
    descriptor: Descriptor,
    options?: WithSignal & { readonly offset?: number | undefined },
  ): AsyncIterable<Uint8Array>;
  /** HEAD, then mount; undefined when the blob is in none of these repositories. */
  findBlob(
    repository: string,
    descriptor: Descriptor,
    options?: WithSignal & { readonly mountFrom?: string | readonly string[] | undefined },
  ): Promise<"skipped" | "mounted" | undefined>;
  pushBlob(
    repository: string,
    source: BlobSource,
    options?: WithSignal & { readonly mountFrom?: string | readonly string[] | undefined },
  ): Promise<BlobPush>;
  pushBlobStream(
    repository: string,
    stream: AsyncIterable<Uint8Array>,
    options?: WithSignal & { readonly mediaType?: string | undefined },
  ): Promise<Descriptor>;
  headManifest(
    repository: string,
    reference: string,
    options?: WithSignal,
  ): Promise<ManifestHead | undefined>;
  getManifest(
    repository: string,
    reference: string,
    options?: WithSignal,
  ): Promise<FetchedManifest>;
  putManifest(
    repository: string,
    reference: string,
    bytes: Uint8Array,
    mediaType: string,
    options?: WithSignal,
  ): Promise<{ readonly digest: Digest }>;
  deleteManifest(repository: string, reference: string, options?: WithSignal): Promise<boolean>;
  listTags(repository: string, options?: WithSignal): Promise<string[]>;
  referrers(
    repository: string,
    digest: Digest,
    options?: WithSignal & { readonly artifactType?: string | undefined },
  ): Promise<Descriptor[]>;
  /** Closes connections that the client opened itself; a dispatcher that was passed in stays open. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface RegistryClientOptions {
  /** Host and port as in references, such as `localhost:5000` or `docker.io`. */
  readonly registry: string;
  readonly credentials?: Credentials | undefined;
  /** Default: true for loopback hosts, as Docker has it, false for all others. */
  readonly isPlainHttp?: boolean | undefined;
  /** PEM of the authorities to trust besides Node's, for registries with their own. */
  readonly certificateAuthority?: string | readonly string[] | undefined;
  /** Proxies to go through; default none. See proxyFromEnvironment. */
  readonly proxy?: ProxySettings | undefined;
  /** Replaces the client's own connections (certificateAuthority and proxy are then its business); it must not follow redirects or use HTTP/2. */
  readonly dispatcher?: Dispatcher | undefined;
  readonly onEvent?: OnRegistryEvent | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
  readonly clock?: Clock | undefined;
  /** Longest silence of the registry in milliseconds; default five minutes. */
  readonly idleTimeoutMs?: number | undefined;
}

/** The host that serves Docker Hub's API. */
const dockerHubHost = "registry-1.docker.io";

/** Connects nothing yet: the first request does. @throws RegistryError `invalid-reference` for a malformed host. */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const dispatcher = options.dispatcher ?? createDispatcher(options);
  const transport = new Transport({
    registry: registryUrl(options.registry, options.isPlainHttp),
    dispatcher,
    credentials: options.credentials,
    policy: { ...defaultRetryPolicy, ...options.retry },
    clock: options.clock ?? systemClock,
    onEvent: options.onEvent ?? (() => {}),
    idleTimeoutMs: options.idleTimeoutMs ?? defaultIdleTimeoutMs,
  });
  const close = async (): Promise<void> => {
    if (!options.dispatcher) await dispatcher.destroy();
  };
  return {
    registry: options.registry,
    ping: async (more) => ping(transport, more?.signal),
    headBlob: async (repository, digest, more) =>
      headBlob(transport, { ...more, repository, digest }),
    getBlob: (repository, descriptor, more) =>
      getBlob(transport, { ...more, repository, descriptor }),
    findBlob: async (repository, descriptor, more) =>
      findBlob(transport, {
        repository,
        descriptor,
        signal: more?.signal,
        mountFrom: asList(more?.mountFrom),
      }),
    pushBlob: async (repository, source, more) =>
      pushBlob(transport, {
        repository,
        source,
        signal: more?.signal,
        mountFrom: asList(more?.mountFrom),
      }),
    pushBlobStream: async (repository, stream, more) =>
      pushBlobStream(transport, { ...more, repository, stream }),
    headManifest: async (repository, reference, more) =>
      headManifest(transport, { ...more, repository, reference }),
    getManifest: async (repository, reference, more) =>
      getManifest(transport, { ...more, repository, reference }),
    putManifest: async (repository, reference, bytes, mediaType, more) =>
      putManifest(transport, { ...more, repository, reference, bytes, mediaType }),
    deleteManifest: async (repository, reference, more) =>
      deleteManifest(transport, { ...more, repository, reference }),
    listTags: async (repository, more) => listTags(transport, { ...more, repository }),
    referrers: async (repository, digest, more) =>
      listReferrers(transport, { ...more, repository, digest }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function ping(transport: Transport, signal: AbortSignal | undefined): Promise<void> {
  const response = await transport.send({
    method: "GET",
    url: transport.address(""),
    scopes: [],
    accept: [200],
    signal,
  });
  await response.discard();
}

function registryUrl(registry: string, isPlainHttp: boolean | undefined): URL {
  const host = registry === dockerHub || registry === "index.docker.io" ? dockerHubHost : registry;
  const text = `https://${host}/`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.pathname !== "/" || url.search !== "" || url.username !== "" || url.hash !== "") {
    throw new RegistryError({
      code: "invalid-reference",
      message: `${JSON.stringify(registry)} is no registry`,
      hint: "give a host with an optional port, such as registry.example.com:5000, without https:// in front",
    });
  }
  return (isPlainHttp ?? isLoopbackHost(url.hostname)) ? new URL(`http://${host}/`) : url;
}

function asList(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === "string" ? [value] : value;
}
