import { canceledError, GatewayError } from "../errors.ts";
import { partialOutputBytesMax, recordLogsBytesMax } from "../limits.ts";
import type { CacheAsk, Cached } from "../cache/ask.ts";
import type { CatalogEntry } from "../catalog/entry.ts";
import type { Candidate } from "../route/candidate.ts";
import type { Journey } from "../route/journey.ts";
import type { CustomCost } from "../route/leg.ts";
import type { CallMeter } from "../route/limits/meter.ts";
import type { RoutePolicy } from "../route/policy.ts";
import type { CallOrigin } from "../telemetry/call-record.ts";
import { checkChunk, chunkJson, type EventKind } from "../stream/event.ts";
import type { EventLog } from "../stream/event-log.ts";
import type { StreamShape } from "../stream/shape.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import type { Lease } from "../upstream/upstream.ts";
import { StartWait } from "./start-wait.ts";
import { endFacts, openFacts, type Revived } from "./kept-run.ts";
import { detachPolicyOf, Listeners } from "./listeners.ts";
import { completedOutcome, statusOf, toldFailure } from "./outcome.ts";
import type { PredictionRecord, PredictionStatus, WebhookRequest } from "./store.ts";

/** What a caller asked for. */
export interface RunRequest {
  readonly entry: CatalogEntry;
  /** A pinned version; absent: by the deployment's traffic split. */
  readonly version?: number;
  /** As the caller gave it; uploaded files are still their URLs. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Runs on whoever listens; otherwise it is canceled some time after its last listener left. */
  readonly isDetached: boolean;
  /** Kept in the store from before it begins: accepted means not lost. */
  readonly isRecorded: boolean;
  /** Cog's `context`: strings that the predictor can look at. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly keyId?: string;
  /** The caller's own key for a third party; never kept. */
  readonly providerKey?: string;
  /** A streamed request in the provider's own shape, sent as it is; `input` is empty then. */
  readonly wire?: WireRequest;
  /** Where the call came from; absent for one that is run again after a restart. */
  readonly origin?: CallOrigin;
  /** As the caller named the model; default: the entry's id. */
  readonly requestedModel?: string;
  /** `dynamic/NAME`. */
  readonly route?: string;
  /** What can answer it, in order; default: the entry's own upstreams. */
  readonly candidates?: readonly Candidate[];
  /** Over the gateway's defaults. */
  readonly policy?: Partial<RoutePolicy>;
  /**
   * The input for another model of the same route, or for an upstream that does not speak the shape of `wire`; absent:
   * the same input fits all candidates. May throw a `GatewayError`: that candidate is passed over.
   */
  readonly inputFor?: (entry: CatalogEntry) => Readonly<Record<string, unknown>>;
  /** Nobody reads along: an answer that broke off can begin anew elsewhere without a word. */
  readonly isWhole?: boolean;
  readonly customCost?: CustomCost;
  /** Counts the call against the limits that hold for it. */
  readonly meter?: CallMeter;
  /** What the caller says about how it is carried; before the policies of the route and of its candidates. */
  readonly overrides?: Partial<RoutePolicy>;
  /** Milliseconds that its stream can be read again after its end; default: the gateway's. */
  readonly streamTtlMs?: number;
  /** Bytes of what was said, of a run of a former process whose input is not known any more. */
  readonly inputBytes?: number;
  /** It may be answered by a stored answer, or by following a call of its kind. */
  readonly cache?: CacheAsk;
  /** What the caller says about the call, for its logs and its bill. */
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
  /** The caller's own id, as `PUT /predictions/ID` gives one. */
  readonly id?: string;
  /** Of a recorded prediction that is run again; default: now. */
  readonly createdAt?: string;
  /** ISO 8601: when it ends by itself at the latest. */
  readonly deadline?: string;
  /** `owner/name` of the deployment by which it was called. */
  readonly deployment?: string;
  /** Who is told how a recorded prediction goes. */
  readonly webhook?: WebhookRequest;
}

/** How a prediction ended. */
export interface Outcome {
  readonly status: Exclude<PredictionStatus, "starting" | "processing">;
  readonly output: unknown;
  readonly logs: string;
  readonly metrics: Readonly<Record<string, unknown>>;
  /** Set for every status but `succeeded`. */
  readonly failure?: GatewayError;
}

/** The instance that serves a run, and how it came to be. */
export type Served = Pick<Lease, "instanceId" | "version" | "start">;

export interface RunHooks {
  /** ISO 8601 of now. */
  readonly now: () => string;
  readonly callerGraceMs: number;
  /** The output as a record keeps it: large files beside it. */
  readonly detachOutput: (output: unknown, predictionId: string) => unknown;
  /** The state changed in a way that a record shows. */
  readonly onChange: (run: Run) => void;
  /** It runs for nobody who listens, or does not any more. */
  readonly onOrphan: (run: Run, isOrphan: boolean) => void;
}

export interface RunParts {
  readonly id: string;
  readonly request: RunRequest;
  readonly log: EventLog;
  readonly journey: Journey;
}

/** One prediction from acceptance to its end: its state, its event log and its listeners. */
export class Run {
  readonly id: string;
  readonly request: RunRequest;
  readonly log: EventLog;
  /** Its way over its upstreams. */
  readonly journey: Journey;
  readonly createdAt: string;
  /** Resolves with the outcome; never rejects. */
  readonly finished: Promise<Outcome>;
  status: PredictionStatus = "starting";
  served: Served | undefined;
  /** For an instance. */
  readonly wait: StartWait = new StartWait();
  /** Set once a run that may be cached knows where its answer comes from. */
  cached: Cached | undefined;
  startedAt: string | undefined;
  completedAt: string | undefined;
  outcome: Outcome | undefined;
  /** In which shape its stream was first written; set for one that can be read again. */
  shape: StreamShape | undefined;
  /** Whether the request has gone to an instance, so that it may have begun there. */
  isSent = false;
  readonly #hooks: RunHooks;
  readonly #abort = new AbortController();
  readonly #finish: (outcome: Outcome) => void;
  #cancelUpstream: (() => void) | undefined;
  #answering: CatalogEntry | undefined;
  #answerFrom = 0;
  #isCanceling = false;
  #isExpired = false;
  #keptOutput: unknown;
  readonly #listeners: Listeners;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #logs = "";

  constructor({ id, request, log, journey }: RunParts, hooks: RunHooks) {
    this.id = id;
    this.request = request;
    this.log = log;
    this.journey = journey;
    this.#hooks = hooks;
    this.createdAt = request.createdAt ?? hooks.now();
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.finished = promise;
    this.#finish = resolve;
    this.#listeners = new Listeners({
      policy: detachPolicyOf(request, hooks.callerGraceMs),
      onAbandon: () => this.cancel(),
      onOrphan: (isOrphan) => hooks.onOrphan(this, isOrphan),
    });
  }

  get entry(): CatalogEntry {
    return this.request.entry;
  }

  /** The model of the leg under way: on a route with several models, the one whose output is in the log. */
  get answering(): CatalogEntry {
    return this.#answering ?? this.request.entry;
  }

  /** Aborts when the run is to stop at once; the reason is a `GatewayError`. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get hasListeners(): boolean {
    return this.#listeners.count > 0;
  }

  get version(): number {
    return this.served?.version ?? this.request.version ?? this.entry.version;
  }

  /** Position in the log from which on the present answer is: after the last `restart`. */
  get answerFrom(): number {
    return this.#answerFrom;
  }

  /** Whether somebody asked for its end. */
  get isCanceling(): boolean {
    return this.#isCanceling;
  }

  /** Another upstream has its turn, with the instance that serves it where it is one of ours. */
  turnTo(entry: CatalogEntry, served: Served | undefined): void {
    this.#answering = entry;
    this.served = served;
  }

  /** The request goes out now; `cancelUpstream` asks the instance to stop. */
  markSent(cancelUpstream: () => void): void {
    this.isSent = true;
    this.status = "processing";
    this.startedAt = this.#hooks.now();
    this.#cancelUpstream = cancelUpstream;
    this.#hooks.onChange(this);
    if (this.#isCanceling) cancelUpstream();
  }

  /** The instance refused it before it began; it waits again. */
  markUnsent(): void {
    this.isSent = false;
    this.status = "starting";
    this.startedAt = undefined;
    this.#cancelUpstream = undefined;
    this.#hooks.onChange(this);
  }

  /**
   * Takes an event of the instance into the log. With its last one `onLast` is asked first: true keeps it out, so that
   * another upstream can have its turn.
   * @throws `GatewayError` `upstream_failed` for one that cannot be read, and when the log is full
   */
  take(kind: EventKind, data: Buffer, onLast?: (outcome: Outcome) => boolean): void {
    if (this.outcome !== undefined) return;
    const outcome = this.#read(kind, data);
    if (outcome !== undefined && onLast?.(outcome) === true) return;
    if (!this.log.append(kind, data)) {
      throw new GatewayError(
        "upstream_failed",
        "The model's output is larger than the event log holds.",
        { isFinal: true },
      );
    }
    if (outcome !== undefined) this.#end(outcome);
  }

  /** Ends the run with a failure of the gateway or of the way to the model, as an `error` event in the log. */
  fail(failure: GatewayError): void {
    if (this.outcome !== undefined) return;
    const data = Buffer.from(JSON.stringify({ error: failure.message, code: failure.code }));
    this.log.append("error", data);
    this.#end({
      status: this.#isExpired && !this.isSent ? "aborted" : statusOf(failure),
      output: this.#partialOutput(),
      logs: this.#logs,
      metrics: {},
      failure,
    });
  }

  /** Stops the prediction: asks the instance when it has begun, else at once. Returns false when it has ended. */
  cancel(): boolean {
    if (this.outcome !== undefined) return false;
    if (this.#isCanceling) return true;
    this.#isCanceling = true;
    if (this.#cancelUpstream === undefined) this.cut(canceledError());
    else this.#cancelUpstream();
    return true;
  }

  /** Its deadline has passed: what has not begun is aborted, the rest is canceled. */
  expire(): void {
    if (this.outcome !== undefined) return;
    this.#isExpired = true;
    if (this.isSent) this.cancel();
    else this.cut(new GatewayError("canceled", "The deadline passed before the prediction began."));
  }

  /** Stops without asking the instance. */
  cut(reason: GatewayError): void {
    this.#abort.abort(reason);
  }

  /** Registers a caller who listens; returns what to call when it leaves. */
  attach(): () => void {
    return this.#listeners.attach();
  }

  /** Its stream is written in this shape, and can be written again from here on; the first shape counts. */
  keep(shape: StreamShape): void {
    if (this.shape !== undefined) return;
    this.shape = shape;
    this.log.keep({ facts: openFacts(this, shape), ttlMs: this.request.streamTtlMs });
  }

  /** Of a former process: it ended like this. */
  restore({ shape, outcome, completedAt, answering }: Revived): void {
    this.#answering = answering;
    this.shape = shape;
    this.outcome = outcome;
    this.status = outcome.status;
    this.completedAt = completedAt;
    this.isSent = true;
    this.#listeners.end();
    this.#finish(outcome);
  }

  /** The run as the store and the answers show it; output and logs so far while it runs. */
  record(): PredictionRecord {
    const { outcome, request } = this;
    const output = this.#recordOutput();
    return {
      id: this.id,
      model: this.entry.id,
      version: this.version,
      status: this.status,
      input: request.input,
      ...(output === undefined || output === null ? {} : { output }),
      ...(outcome?.failure === undefined ? {} : { error: outcome.failure.message }),
      logs: outcome?.logs ?? this.#logs,
      metrics: outcome?.metrics ?? {},
      createdAt: this.createdAt,
      ...(this.startedAt === undefined ? {} : { startedAt: this.startedAt }),
      ...(this.completedAt === undefined ? {} : { completedAt: this.completedAt }),
      ...(request.keyId === undefined ? {} : { keyId: request.keyId }),
      ...(request.version === undefined ? {} : { pinnedVersion: request.version }),
      ...(request.context === undefined ? {} : { context: request.context }),
      ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
      ...(request.deadline === undefined ? {} : { deadline: request.deadline }),
      ...(request.deployment === undefined ? {} : { deployment: request.deployment }),
      ...(request.webhook === undefined ? {} : { webhook: request.webhook }),
    };
  }

  #recordOutput(): unknown {
    const { outcome } = this;
    if (!this.request.isRecorded) return outcome?.output ?? this.#partialOutput();
    if (outcome === undefined) return this.#hooks.detachOutput(this.#partialOutput(), this.id);
    return (this.#keptOutput ??= this.#hooks.detachOutput(outcome.output, this.id));
  }

  /** Checks an event before anybody sees it; the last one gives the outcome. */
  #read(kind: EventKind, data: Buffer): Outcome | undefined {
    try {
      if (kind === "completed") return completedOutcome(data, this.#logs);
      if (kind === "error") return this.#failed(data);
      if (kind === "restart") this.#beginAnew();
      if (kind === "output") checkChunk(data);
      if (this.request.isRecorded) this.#remember(kind, data);
      return undefined;
    } catch (cause) {
      throw new GatewayError("upstream_failed", `The model sent a broken ${kind} event.`, {
        cause,
      });
    }
  }

  #failed(data: Buffer): Outcome {
    const failure = toldFailure(data);
    const output = this.#partialOutput();
    return { status: "failed", output, logs: this.#logs, metrics: {}, failure };
  }

  #end(outcome: Outcome): void {
    this.outcome = outcome;
    this.status = outcome.status;
    this.completedAt = this.#hooks.now();
    this.#partial = [];
    this.#listeners.end();
    try {
      this.#hooks.onChange(this);
    } finally {
      this.log.end(this.log.isKept ? endFacts(this, outcome, this.completedAt) : undefined);
      this.#finish(outcome);
    }
  }

  #remember(kind: EventKind, data: Buffer): void {
    if (kind === "output" && this.#partialBytes + data.length <= partialOutputBytesMax) {
      this.#partial.push(data);
      this.#partialBytes += data.length;
    } else if (kind === "log") {
      const { data: text } = JSON.parse(data.toString("utf8")) as { readonly data?: unknown };
      if (typeof text === "string") this.#logs = (this.#logs + text).slice(-recordLogsBytesMax);
    }
  }

  /** What came before is void. */
  #beginAnew(): void {
    this.#answerFrom = this.log.length + 1;
    this.#partial = [];
    this.#partialBytes = 0;
    this.#logs = "";
  }

  #partialOutput(): unknown {
    if (this.#partial.length === 0) return null;
    return this.#partial.map((data) => JSON.parse(chunkJson(data).toString("utf8")) as unknown);
  }
}
