import type { ServerResponse } from "node:http";

import type { Journey } from "../route/journey.ts";

/** The way of a call over its upstreams, known by its answer: a surface may leave a call to another one. */
const journeys = new WeakMap<ServerResponse, Journey>();

export function noteJourney(response: ServerResponse, journey: Journey): void {
  journeys.set(response, journey);
}

/** Undefined before anything has been asked of an upstream. */
export function journeyOf(response: ServerResponse): Journey | undefined {
  return journeys.get(response);
}
