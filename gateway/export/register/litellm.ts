import { liteLlmKinds, liteLlmModel } from "../litellm.ts";
import { selectModels } from "../model.ts";
import { isRecord, listOf, type Register, type RegistrationStep } from "./registration.ts";

/** LiteLLM's proxy with a database: `GET /v1/model/info`, `POST /model/new`, `PATCH /model/{id}/update`. */
export const registerAtLiteLlm: Register = async (client, models, options) => {
  const { selected, skipped } = selectModels(models, liteLlmKinds);
  const { body } = await client.get("/v1/model/info");
  const known = new Map<string, string>();
  for (const { model_name: name, litellm_params: params, model_info: info } of listOf(
    body,
    "data",
  )) {
    // Models of its config file cannot be changed by the API; only those of the database are ours to find.
    if (!isRecord(params) || !isRecord(info) || info["db_model"] !== true) continue;
    if (params["model"] === `openai/${String(name)}`) known.set(String(name), String(info["id"]));
  }
  const steps: RegistrationStep[] = [];
  for (const { model, kind } of selected) {
    const registered = liteLlmModel(model, kind, options);
    const id = known.get(model.id);
    if (id === undefined) await client.change("POST", "/model/new", registered);
    else {
      // Without its id LiteLLM would give the model a new one.
      const named = { ...registered, model_info: { ...registered.model_info, id } };
      await client.change("PATCH", `/model/${encodeURIComponent(id)}/update`, named);
    }
    steps.push({ action: id === undefined ? "create" : "update", subject: `model ${model.id}` });
  }
  const notes =
    options.key === undefined
      ? [`LiteLLM's environment needs ${options.keyEnv}; --reveal sends the key itself instead.`]
      : [];
  return { steps, skipped, notes };
};
