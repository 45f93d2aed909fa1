import type { ResponseFacts } from "./request.ts";
import type { StoredResponse } from "./store.ts";

export type ResponseStatus =
  | "queued"
  | "in_progress"
  | "completed"
  | "incomplete"
  | "failed"
  | "cancelled";

/** A response in OpenAI's shape; without an end it has the state that it is in now. */
export function responseBody(
  response: StoredResponse,
  running: "queued" | "in_progress" = "in_progress",
): Readonly<Record<string, unknown>> {
  const { facts, end } = response;
  const status: ResponseStatus = end?.status ?? running;
  const reason = end?.incompleteReason ?? null;
  return {
    id: response.id,
    object: "response",
    created_at: response.createdAt,
    status,
    background: facts.isBackground,
    completed_at: status === "completed" ? (end?.completedAt ?? null) : null,
    error: end?.error ?? null,
    incomplete_details: reason === null ? null : { reason },
    model: facts.model,
    output: end?.output ?? [],
    usage: end?.usage ?? null,
    ...requestFields(facts),
  };
}

function requestFields(facts: ResponseFacts): Readonly<Record<string, unknown>> {
  return {
    instructions: facts.instructions,
    max_output_tokens: facts.maxOutputTokens,
    metadata: facts.metadata,
    parallel_tool_calls: facts.parallelToolCalls,
    previous_response_id: facts.previousResponseId,
    reasoning: { effort: null, summary: null, ...facts.reasoning },
    store: facts.isStored,
    temperature: facts.temperature,
    text: { format: { type: "text" }, ...facts.text },
    tool_choice: facts.toolChoice,
    tools: facts.tools,
    top_p: facts.topP,
    truncation: "disabled",
    user: facts.user,
  };
}
