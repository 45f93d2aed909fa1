import { GatewayError } from "../../errors.ts";
import { parseJsonObject, readBody } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { embeddingCalls, embeddingVectors, vectorBase64 } from "../../media/embeddings.ts";
import { requiredText } from "../../media/inputs.ts";
import { runAll, type Answered } from "../../media/run-all.ts";
import { inputTokens } from "../../media/usage.ts";
import { findCallable } from "../../prediction/start.ts";
import { passThrough } from "../pass-through.ts";
import { renderFailure } from "./chat.ts";

/** `POST /v1/embeddings`: the vectors of one text or many. */
export async function embeddings(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const bytes = await readBody(call.request);
  if (await passThrough(call, services, { format: "embeddings", body: bytes, renderFailure }))
    return;
  const body = parseJsonObject(bytes);
  const model = findCallable(call, services, requiredText(body, "model"), { body });
  const encoding = encodingFormat(body["encoding_format"]);
  const { model: _model, input, dimensions, encoding_format: _format, user: _user, ...rest } = body;
  const calls = embeddingCalls(model.entry, { input, dimensions, rest });
  const answers = await runAll(call, services, { model, inputs: calls.inputs });
  const vectors = answers.flatMap(({ outcome }) =>
    embeddingVectors(model.entry, outcome.output, calls.vectorsEach),
  );
  const usage = usageBody(answers, calls.texts);
  sendJson(call.response, {
    body: {
      object: "list",
      data: vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: encoding === "base64" ? vectorBase64(vector) : vector,
      })),
      model: body["model"],
      usage,
    },
    headers: {
      ...(answers[0] === undefined ? {} : startHeaders(answers[0].run)),
      ...(usage.estimated === true ? { "x-byom-usage": "estimated" } : {}),
    },
  });
}

function encodingFormat(format: unknown): "float" | "base64" {
  if (format === undefined || format === null || format === "float") return "float";
  if (format === "base64") return "base64";
  throw new GatewayError("invalid_request", "encoding_format must be float or base64.", {
    parameter: "encoding_format",
  });
}

function usageBody(
  answers: readonly Answered[],
  texts: readonly string[],
): { readonly prompt_tokens: number; readonly total_tokens: number; readonly estimated?: true } {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const { tokens, isEstimated } = inputTokens(
    answers.map(({ outcome }) => outcome.metrics),
    bytes,
  );
  return {
    prompt_tokens: tokens,
    total_tokens: tokens,
    ...(isEstimated ? { estimated: true } : {}),
  };
}
