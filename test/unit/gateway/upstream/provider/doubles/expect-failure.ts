import { expect } from "vitest";

import { GatewayError } from "../../../../../../gateway/errors.ts";

/** The error of the gateway that a call ends with. */
export async function failureOf(call: Promise<unknown>): Promise<GatewayError> {
  const outcome = await call.then(
    () => "it ended well",
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(GatewayError);
  return outcome as GatewayError;
}
