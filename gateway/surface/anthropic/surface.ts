import { noSuchPath, type Services, type Surface } from "../../http/call.ts";
import { anthropicError, anthropicStatus } from "./errors.ts";
import { countTokens, createMessage } from "./messages.ts";

/** Anthropic's API under `/v1/messages`; its list of models is on OpenAI's path, told apart by a header. */
export function createAnthropicSurface(services: Services): Surface {
  return {
    name: "anthropic",
    owns: ([version, resource]) => version === "v1" && resource === "messages",
    async handle(call) {
      // As its clients call it; they show it with every error.
      call.response.setHeader("request-id", call.requestId);
      const rest = call.segments.slice(2);
      if (rest.length === 0) await createMessage(call, services);
      else if (rest.length === 1 && rest[0] === "count_tokens") await countTokens(call, services);
      else throw noSuchPath(call);
    },
    renderError: (error, call) => ({
      status: anthropicStatus(error),
      body: anthropicError(error, call.requestId),
    }),
  };
}
