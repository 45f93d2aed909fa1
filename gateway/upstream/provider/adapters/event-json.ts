import { brokenAnswer } from "../failure.ts";

/** The data of a stream's event as JSON. @throws `GatewayError` `upstream_failed` */
export function parseEvent(provider: string, data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw brokenAnswer(provider, "an event that is not JSON", cause);
  }
}
