import type { ProviderCall } from "../adapter.ts";
import type { Inputs } from "./inputs.ts";

/** What OpenAI's clients send where the caller chose no voice: they cannot leave it out. */
const noChoice: ReadonlySet<string> = new Set(["alloy", "default"]);

/**
 * The voice of a speech: the caller's, or the provider's own one when there was no choice, so that a call that works
 * with OpenAI works here. The prediction's log says when one voice stands for another.
 */
export function voiceOf(call: ProviderCall, input: Inputs, ownVoice: string): string {
  const voice = input.text("voice");
  if (voice === undefined) return ownVoice;
  if (!noChoice.has(voice)) return voice;
  call.log(`voice ${voice}: spoken by ${ownVoice}`);
  return ownVoice;
}
