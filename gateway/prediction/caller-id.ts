import { GatewayError } from "../errors.ts";

/** A caller's own id appears in headers and URLs. */
const idPattern = /^[\w.:-]{1,128}$/;

/** The id that a caller chose for a prediction. @throws `GatewayError` `unsupported_parameter` for one that is none */
export function checkCallerId(id: unknown): string {
  if (typeof id === "string" && idPattern.test(id)) return id;
  throw new GatewayError(
    "unsupported_parameter",
    "must be up to 128 letters, digits, dots, colons, dashes and underscores",
    { parameter: "id" },
  );
}
