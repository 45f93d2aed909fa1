import { GatewayError } from "../errors.ts";
import type { Candidate } from "../route/candidate.ts";
import type { Stop } from "../route/itinerary.ts";
import type { RoutePolicy, StreamRecovery } from "../route/policy.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import type { Contest } from "./contest.ts";
import { LegRun, type TakeOver } from "./leg-run.ts";
import type { Run } from "./run.ts";
import { continuedInput, continuedWire, saidSoFar } from "./take-over.ts";

type Input = Readonly<Record<string, unknown>>;

/**
 * Begins the leg of a run at the next upstream, with the request as that one takes it. Where a part of the answer is
 * with the caller, the leg takes over as the policy says.
 * @throws `GatewayError` of an upstream that cannot take the request (see `refusalOf`)
 */
export function openLegRun(options: {
  readonly run: Run;
  readonly stop: Stop;
  /** Why the leg before it failed. */
  readonly before: GatewayError | undefined;
  readonly contest?: Contest | undefined;
}): LegRun {
  const { run, stop, before, contest } = options;
  const { candidate, policy } = stop;
  const asked = requestFor(run, candidate);
  const resumed = before === undefined ? { ...asked, takeOver: undefined } : resume(options, asked);
  const leg = run.journey.begin(candidate);
  if (contest === undefined) run.turnTo(candidate.entry, undefined);
  return new LegRun({ run, leg, policy, contest, ...resumed });
}

/** Why an upstream cannot take the request of a run, or must not; it is passed over. Undefined for one that can. */
export function refusalOf(run: Run, { candidate }: Stop): GatewayError | undefined {
  const usedUp = run.journey.refusalOf(candidate);
  if (usedUp !== undefined) return usedUp;
  if (run.request.inputFor === undefined && run.request.wire === undefined) return undefined;
  try {
    requestFor(run, candidate);
    return undefined;
  } catch (error) {
    return GatewayError.from(error);
  }
}

/**
 * What becomes of an answer that broke off: nothing is lost as long as nobody has a part of it. Whole answers and
 * accepted predictions, which are read when they are done, begin anew unless somebody says otherwise.
 */
export function recoveryOf(run: Run, policy: RoutePolicy): StreamRecovery {
  const { hasOutput, hasToolCalls } = saidSoFar(run);
  if (!hasOutput) return "restart";
  const { isWhole, isRecorded, wire } = run.request;
  if (isWhole === true || (isRecorded && policy.onStreamCut === "fail")) return "restart";
  // Half of a tool call and then a whole one would be run as two; a response's events are counted, and name its items.
  return hasToolCalls || wire?.format === "responses" ? "fail" : policy.onStreamCut;
}

interface Asked {
  readonly input: Input;
  readonly wire: WireRequest | undefined;
}

function requestFor(run: Run, candidate: Candidate): Asked {
  const { wire, inputFor, input, entry } = run.request;
  const own = wire === undefined ? undefined : wireFor(wire, candidate);
  if (own !== undefined) return { input, wire: own };
  if (inputFor !== undefined && (wire !== undefined || candidate.entry !== entry)) {
    return { input: inputFor(candidate.entry), wire: undefined };
  }
  if (wire === undefined) return { input, wire };
  throw new GatewayError(
    "invalid_request",
    `${candidate.entry.id} does not take a request of the shape ${wire.format}.`,
  );
}

/** Undefined for an upstream that does not speak the shape. */
function wireFor(wire: WireRequest, { target }: Candidate): WireRequest | undefined {
  if (target.kind !== "provider") return undefined;
  if (target.provider.adapter.wirePaths?.[wire.format] === undefined) return undefined;
  if (wire.bodyFor === undefined || target.model === wire.model) return wire;
  return { ...wire, body: wire.bodyFor(target.model), model: target.model };
}

function resume(
  { run, stop, before }: Parameters<typeof openLegRun>[0],
  asked: Asked,
): Asked & { readonly takeOver: TakeOver | undefined } {
  const { hasOutput, text } = saidSoFar(run);
  if (!hasOutput) return { ...asked, takeOver: undefined };
  const reason = before?.message ?? "";
  const mayContinue = recoveryOf(run, stop.policy) === "continue" && text !== undefined;
  if (mayContinue && takesUp(stop.candidate, text)) {
    const { entry } = stop.candidate;
    const continued =
      asked.wire === undefined
        ? withInput(continuedInput(entry, asked.input, text))
        : withWire(asked, continuedWire(asked.wire, text));
    if (continued !== undefined) {
      return { ...continued, takeOver: { kind: "handover", reason, text } };
    }
  }
  return { ...asked, takeOver: { kind: "restart", reason, text: "" } };
}

/**
 * Anthropic refuses a turn of the assistant that ends with a space; without it the model would say it again, or not.
 */
function takesUp({ target }: Candidate, text: string): boolean {
  const isStrict = target.kind === "provider" && target.provider.adapter.id === "anthropic";
  return !isStrict || text === text.trimEnd();
}

function withInput(input: Input | undefined): Asked | undefined {
  return input === undefined ? undefined : { input, wire: undefined };
}

function withWire(asked: Asked, wire: WireRequest | undefined): Asked | undefined {
  return wire === undefined ? undefined : { ...asked, wire };
}
