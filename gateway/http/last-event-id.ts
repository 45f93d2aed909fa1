import type { Call } from "./call.ts";

/** What a reader has that comes back as browsers do; undefined for one that says nothing. */
export function lastEventId(call: Call): string | undefined {
  const id = call.request.headers["last-event-id"];
  return typeof id === "string" && id !== "" ? id : undefined;
}
