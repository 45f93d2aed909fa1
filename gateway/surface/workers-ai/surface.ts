import { noSuchPath, type Services, type Surface } from "../../http/call.ts";
import { chatCompletions } from "../openai/chat.ts";
import { openAiError } from "../openai/errors.ts";
import { renderError } from "./errors.ts";
import { modelSchema, searchModels } from "./models.ts";
import { runFromBody, runFromPath } from "./run.ts";

/** Workers AI's REST API under `/client/v4/accounts/{any}/ai`; there is one account here, whatever its id. */
export function createWorkersAiSurface(services: Services): Surface {
  return {
    name: "workers-ai",
    owns: (segments) => segments[0] === "client" && segments[1] === "v4",
    async handle(call) {
      const [, , accounts, , ai, ...rest] = call.segments;
      if (accounts !== "accounts" || ai !== "ai") throw noSuchPath(call);
      const path = rest.join("/");
      if (path === "run") await runFromBody(call, services);
      // One segment `owner%2Fname` (the SDK's) or two.
      else if (rest[0] === "run") await runFromPath(call, services, rest.slice(1).join("/"));
      else if (path === "v1/chat/completions") await chatCompletions(call, services);
      else if (path === "models/search") searchModels(call, services);
      else if (path === "models/schema") modelSchema(call, services);
      else throw noSuchPath(call);
    },
    renderError: (error, call) =>
      call.segments[5] === "v1"
        ? { status: error.status, body: openAiError(error) }
        : renderError(error),
  };
}
