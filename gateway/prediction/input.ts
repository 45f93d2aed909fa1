import { GatewayError } from "../errors.ts";
import type { CatalogEntry } from "../catalog/entry.ts";
import { validateInput } from "../catalog/validate-input.ts";

/**
 * Checks an input before anything is woken for it.
 * @throws `GatewayError` `invalid_input` with every problem found
 */
export function checkInput(entry: CatalogEntry, input: Readonly<Record<string, unknown>>): void {
  const problems = validateInput(entry.inputSchema, input);
  if (problems.length === 0) return;
  throw new GatewayError("invalid_input", `The input does not fit ${entry.id}.`, { problems });
}
