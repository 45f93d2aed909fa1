import { GatewayError } from "../../errors.ts";
import { cancelAfterMaxMs, cancelAfterMinMs } from "../../limits.ts";

const pattern = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s?)?$/;

/**
 * The time that `Cancel-After` gives a prediction, in milliseconds: `30`, `30s`, `1m`, `1h30m45s`; undefined without
 * the header. Source: Replicate's "Set deadlines for predictions" (2025-10-16) and its HTTP reference.
 * @throws `GatewayError` `invalid_request` for anything else, and for less than 5 seconds
 */
export function cancelAfterMs(header: string | readonly string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const text = String(header).trim().toLowerCase();
  const match = text === "" ? null : pattern.exec(text);
  if (match === null) throw invalid("must be a duration such as 30s, 1m or 1h30m");
  const [, hours = "0", minutes = "0", seconds = "0"] = match;
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  if (ms < cancelAfterMinMs) throw invalid(`must be at least ${cancelAfterMinMs / 1000} seconds`);
  return Math.min(ms, cancelAfterMaxMs);
}

function invalid(message: string): GatewayError {
  return new GatewayError("invalid_request", `Cancel-After ${message}.`, {
    parameter: "Cancel-After",
  });
}
