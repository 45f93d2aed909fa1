import { formatUsd } from "../usage/money.ts";
import type { Journey } from "./journey.ts";
import type { Leg, LegBegin } from "./leg.ts";

/** Legs that the header tells of; what a long queue tried before is in the log. */
const legsToldMax = 16;
/** Characters of a name in a header. */
const nameLengthMax = 120;

/**
 * Which upstreams were tried, why each failed, and what each cost, as headers: `cf-aig-step` counts from 0,
 * `cf-aig-provider` and `cf-aig-model` name the last one, and `x-byom-legs` is a list in the form of RFC 8941:
 * `0;provider="openai";model="gpt-4o";state=failed;code=upstream_failed;status=503;ms=12;usd=0.000001, 1;…`.
 */
export function legHeaders(journey: Journey): Record<string, string> {
  const { legs, current } = journey;
  const last = current ?? legs.at(-1);
  if (last === undefined) return {};
  const told = legs.slice(-legsToldMax).map(endedLeg);
  if (current !== undefined && legs.at(-1)?.id !== current.id) told.push(openLeg(current));
  return {
    "cf-aig-provider": quotable(last.provider),
    "cf-aig-model": quotable(last.model),
    "x-byom-legs": told.join(", "),
    // A step of the universal endpoint has its own number, which stands until a leg after the first one answers.
    ...(last.index > 0 && { "cf-aig-step": String(last.index) }),
  };
}

function openLeg({ index, provider, model }: LegBegin): string {
  return `${index};provider="${quotable(provider)}";model="${quotable(model)}"`;
}

function endedLeg(leg: Leg): string {
  const { state, code, status, durationMs } = leg.end;
  const why = code === undefined ? "" : `;code=${code}`;
  const answered = status === undefined ? "" : `;status=${status}`;
  const usd = `${leg.cost.isEstimated ? ";estimated" : ""};usd=${formatUsd(leg.cost.nanoUsd)}`;
  return `${openLeg(leg)};state=${state}${why}${answered};ms=${Math.round(durationMs)}${usd}`;
}

/** What a quoted text of a header can hold. */
function quotable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]|["\\]/g, " ").slice(0, nameLengthMax);
}
