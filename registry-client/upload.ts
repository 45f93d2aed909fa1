import { pullScope, pushScope, type Scope } from "./auth/scope.ts";
import type { BlobSource } from "./blob-source.ts";
import { blobUrl, isBlobKnown } from "./blob.ts";
import {
  DigestMismatchError,
  RegistryError,
  RegistryResponseError,
  UploadFailedError,
} from "./errors.ts";
import type { UploadOutcome } from "./events.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import { checkRepository } from "./oci/reference.ts";
import type { Transport } from "./transport/client.ts";
import type { ExchangeResponse, RequestBody } from "./transport/exchange.ts";
import { isRetryable } from "./transport/retry.ts";
import {
  cancelUpload,
  findAcknowledged,
  openUpload,
  uploadLocation,
  withDigest,
} from "./upload-session.ts";

/** What became of one blob. */
export interface BlobPush {
  readonly descriptor: Descriptor;
  readonly how: UploadOutcome;
  /** All bytes that went over the wire, repetitions included. */
  readonly sentBytes: number;
}

/** Parts for registries whose proxy refuses long bodies and names no limit, in bytes: below Cloudflare's 100 MB. */
const partBytesDefault = 90 * 1024 * 1024;
/** Smallest step in which progress is reported, in bytes. */
const progressStepBytes = 1024 * 1024;

/**
 * Brings one blob into a repository: HEAD, then mount, then POST and one PUT (distribution-spec 1.1, "Pushing blobs").
 * A broken PUT goes on where the registry still knows the bytes, else in a new session; it gives up after
 * `policy.tries` tries without progress.
 * @throws UploadFailedError, DigestMismatchError, the rest of the family; what the source throws; the signal's reason.
 */
export async function pushBlob(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly source: BlobSource;
    /** Repositories of the same registry that may hold the blob, likeliest first. */
    readonly mountFrom?: readonly string[] | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<BlobPush> {
  const { repository, source, signal } = options;
  checkRepository(repository);
  const { descriptor } = source;
  const { digest, size: sizeBytes } = descriptor;
  transport.onEvent({ type: "layer-upload-start", repository, digest, sizeBytes });
  const upload = new Upload(transport, { repository, descriptor, signal });
  const found = await upload.find(options.mountFrom ?? []);
  if (!found) await upload.send(source);
  const how = found ?? "uploaded";
  const { sentBytes } = upload;
  transport.onEvent({ type: "layer-upload-end", repository, digest, sizeBytes, sentBytes, how });
  return { descriptor, how, sentBytes };
}

/**
 * Looks for a blob of which nobody here has the bytes: HEAD, then mount. Undefined when neither finds it.
 * @throws RegistryError family; the signal's reason.
 */
export async function findBlob(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly descriptor: Descriptor;
    readonly mountFrom?: readonly string[] | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<"skipped" | "mounted" | undefined> {
  const { repository, descriptor, signal } = options;
  checkRepository(repository);
  const upload = new Upload(transport, { repository, descriptor, signal });
  const how = await upload.find(options.mountFrom ?? []);
  if (how === undefined) await upload.cancel();
  return how;
}

/** One blob on its way: which session, how far, how often it failed. */
class Upload {
  sentBytes = 0;
  readonly #transport: Transport;
  readonly #repository: string;
  readonly #descriptor: Descriptor;
  readonly #signal: AbortSignal | undefined;
  readonly #scopes: readonly Scope[];
  #location: URL | undefined;
  /** Bytes that the registry has for sure. */
  #acknowledged = 0;
  /** Bytes of the blob that were handed over in the current try, counted from the blob's start. */
  #handedOver = 0;
  #partBytes: number | undefined;

  constructor(
    transport: Transport,
    options: {
      readonly repository: string;
      readonly descriptor: Descriptor;
      readonly signal: AbortSignal | undefined;
    },
  ) {
    this.#transport = transport;
    this.#repository = options.repository;
    this.#descriptor = options.descriptor;
    this.#signal = options.signal;
    this.#scopes = [pushScope(options.repository)];
  }

  /** In the repository already, or mounted from another one. */
  async find(mountFrom: readonly string[]): Promise<"skipped" | "mounted" | undefined> {
    if (await this.#isKnown()) return "skipped";
    for (const from of mountFrom) {
      if (from !== this.#repository && (await this.#mount(from))) return "mounted";
    }
    return undefined;
  }

  async send(source: BlobSource): Promise<void> {
    try {
      await this.#upload(source);
    } catch (error) {
      await this.cancel();
      throw error;
    }
  }

  async cancel(): Promise<void> {
    if (this.#location) await cancelUpload(this.#transport, this.#location, this.#scopes);
    this.#location = undefined;
  }

  async #upload(source: BlobSource): Promise<void> {
    let failures = 0;
    let throttled = 0;
    for (;;) {
      const before = this.#acknowledged;
      try {
        await this.#attempt(source);
        return;
      } catch (error) {
        this.#signal?.throwIfAborted();
        if (!this.#isRecoverable(error)) throw error;
        if (await this.#recover(error)) return;
        // The transport waits as long as the registry asked; that is no failure of this blob.
        if (isThrottled(error) && ++throttled < this.#transport.policy.throttledTries) continue;
        failures = this.#acknowledged > before ? 0 : failures + 1;
        if (failures >= this.#transport.policy.tries) throw this.#giveUp(failures, error);
        const { host } = this.#transport.registry;
        await this.#transport.backOff({ host, failures, reason: error, signal: this.#signal });
      }
    }
  }

  /** From where the registry stands to the commit. */
  async #attempt(source: BlobSource): Promise<void> {
    if (!this.#location)
      this.#adopt(
        await openUpload(this.#transport, { repository: this.#repository, signal: this.#signal }),
      );
    const { digest, size } = this.#descriptor;
    while (this.#partBytes !== undefined && this.#acknowledged < size) {
      await this.#sendPart(source, Math.min(size, this.#acknowledged + this.#partBytes));
    }
    const location = this.#expectLocation();
    const response = await this.#transport.send({
      method: "PUT",
      url: withDigest(location, digest),
      headers: { "content-type": "application/octet-stream", ...this.#contentRange(size) },
      body: this.#body(source, size),
      scopes: this.#scopes,
      accept: [201, 204],
      tries: 1,
      signal: this.#signal,
    });
    await response.discard();
    this.#location = undefined;
  }

  async #sendPart(source: BlobSource, end: number): Promise<void> {
    const response = await this.#transport.send({
      method: "PATCH",
      url: this.#expectLocation(),
      headers: {
        "content-type": "application/octet-stream",
        "content-range": `${this.#acknowledged}-${end - 1}`,
      },
      body: this.#body(source, end),
      scopes: this.#scopes,
      accept: [201, 202, 204],
      tries: 1,
      signal: this.#signal,
    });
    await response.discard();
    // The answer's Range is not believed: ECR's sticks at the first part although all are stored.
    this.#acknowledged = end;
    this.#location = uploadLocation(this.#transport, response) ?? this.#location;
  }

  /** Only a body that goes on after others needs its place named (distribution-spec 1.1, "Pushing a blob in chunks"). */
  #contentRange(end: number): Record<string, string> {
    if (this.#acknowledged === 0 || this.#acknowledged === end) return {};
    return { "content-range": `${this.#acknowledged}-${end - 1}` };
  }

  #body(source: BlobSource, end: number): RequestBody {
    const offset = this.#acknowledged;
    this.#handedOver = offset;
    return {
      sizeBytes: end - offset,
      isReplayable: true,
      open: (signal) => this.#read(source.open({ offset, signal }), offset, end),
    };
  }

  async *#read(
    chunks: AsyncIterable<Uint8Array>,
    offset: number,
    end: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let position = offset;
    let reported = offset;
    this.#handedOver = offset;
    for await (const chunk of chunks) {
      const piece = chunk.subarray(0, end - position);
      if (piece.byteLength === 0) continue;
      position += piece.byteLength;
      // Before the connection has it: a registry may acknowledge a part of what is under way.
      this.#handedOver = position;
      yield piece;
      this.sentBytes += piece.byteLength;
      if (position - reported >= progressStepBytes || position === end) {
        reported = position;
        this.#reportProgress(position);
      }
      if (position === end) break;
    }
    if (position < end) throw this.#sourceTooShort(position);
  }

  #reportProgress(sentBytes: number): void {
    const { digest, size: sizeBytes } = this.#descriptor;
    const repository = this.#repository;
    this.#transport.onEvent({
      type: "layer-upload-progress",
      repository,
      digest,
      sizeBytes,
      sentBytes,
    });
  }

  /** True when the blob arrived although its answer was lost; else everything is set for the next try. */
  async #recover(failure: unknown): Promise<boolean> {
    if (failure instanceof RegistryResponseError && failure.status === 413) {
      this.#partBytes ??= partBytesDefault;
    }
    try {
      if (await this.#isKnown()) return true;
      await this.#findPlace();
    } catch (error) {
      this.#signal?.throwIfAborted();
      // The registry is out of reach for longer: session and place stay as they are for the next try.
      if (!isRetryable(error)) throw error;
    }
    return false;
  }

  /** Asks how far the registry got; without a usable answer the blob starts again in a new session. */
  async #findPlace(): Promise<void> {
    const location = this.#location;
    if (!location) return;
    const found = await findAcknowledged(this.#transport, {
      location,
      scopes: this.#scopes,
      atLeast: this.#acknowledged,
      atMost: this.#handedOver,
      signal: this.#signal,
    });
    if (found) {
      this.#location = found.location;
      this.#acknowledged = found.acknowledgedBytes;
      return;
    }
    await cancelUpload(this.#transport, location, this.#scopes);
    this.#location = undefined;
    this.#acknowledged = 0;
  }

  #isRecoverable(error: unknown): boolean {
    if (isRetryable(error)) return !this.#asksTooMuch(error);
    if (!(error instanceof RegistryResponseError) || !this.#location) return false;
    if (error.status === 413) {
      return this.#partBytes === undefined && this.#descriptor.size > partBytesDefault;
    }
    if (error.hasProblem("DIGEST_INVALID")) {
      this.#throwIfWhole(error);
      return true;
    }
    // The session is gone or counts otherwise than we do: a new one helps.
    return error.status === 404 || error.status === 416 || error.hasProblem("BLOB_UPLOAD_INVALID");
  }

  #asksTooMuch(error: unknown): boolean {
    const maxMs = this.#transport.policy.retryAfterMaxMs;
    return error instanceof RegistryResponseError && (error.retryAfterMs ?? 0) > maxMs;
  }

  /** A digest refused after a resume may be the registry's miscount; one of a whole body is our bytes. */
  #throwIfWhole(cause: RegistryResponseError): void {
    if (this.#acknowledged > 0) return;
    const { digest } = this.#descriptor;
    throw new DigestMismatchError({
      expected: digest,
      actual: "unknown",
      message: `${this.#transport.registry.host} received other bytes for ${digest} than were hashed before`,
      hint: "the files changed during the push: run it again",
      cause,
    });
  }

  #giveUp(tries: number, cause: unknown): UploadFailedError {
    const { digest } = this.#descriptor;
    return new UploadFailedError({ digest, repository: this.#repository, tries, cause });
  }

  #sourceTooShort(position: number): RegistryError {
    const { digest, size } = this.#descriptor;
    return new RegistryError({
      code: "size-mismatch",
      message: `the source of ${digest} ended after ${position} of ${size} bytes`,
      hint: "the files changed during the push: run it again",
    });
  }

  async #isKnown(): Promise<boolean> {
    const { digest } = this.#descriptor;
    return isBlobKnown(this.#transport, {
      repository: this.#repository,
      digest,
      signal: this.#signal,
    });
  }

  /** A refused mount is no failure: 202 opened a session, anything else means an upload. */
  async #mount(from: string): Promise<boolean> {
    checkRepository(from);
    const url = blobUrl(this.#transport, this.#repository, this.#descriptor.digest);
    url.pathname = url.pathname.replace(/[^/]+$/, "uploads/");
    url.search = new URLSearchParams({ mount: this.#descriptor.digest, from }).toString();
    try {
      const scopes = [...this.#scopes, pullScope(from)];
      const signal = this.#signal;
      const response = await this.#transport.send({
        method: "POST",
        url,
        scopes,
        accept: [201, 202],
        tries: 1,
        signal,
      });
      await response.discard();
      if (response.status === 201) return true;
      this.#adopt(response);
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
    }
    return false;
  }

  #adopt(response: ExchangeResponse): void {
    this.#location = uploadLocation(this.#transport, response) ?? this.#location;
    const maxBytes = Number(response.header("oci-chunk-max-length"));
    if (maxBytes > 0 && maxBytes < this.#descriptor.size) this.#partBytes = Math.floor(maxBytes);
  }

  #expectLocation(): URL {
    if (this.#location) return this.#location;
    throw new RegistryError({
      code: "protocol",
      message: `${this.#transport.registry.host} opened an upload without saying where (no Location)`,
    });
  }
}

function isThrottled(error: unknown): boolean {
  return error instanceof RegistryResponseError && error.retryAfterMs !== undefined;
}
