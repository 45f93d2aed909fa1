/** Everything that the page asks of the platform. Paths are this origin's; the key goes nowhere else. */

const keyName = "byom-key";

export function savedKey() {
  return sessionStorage.getItem(keyName) ?? "";
}

export function saveKey(key) {
  if (key === "") sessionStorage.removeItem(keyName);
  else sessionStorage.setItem(keyName, key);
}

/** A refusal of the platform: what is wrong, what to do, and which inputs are at fault. */
export class ApiError extends Error {
  constructor(message, { status = 0, fields = [], code } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    /** `{name, message}` of inputs. */
    this.fields = fields;
    this.code = code;
  }
}

/** One request with the key of this tab. @throws ApiError */
export async function request(
  path,
  { method = "GET", body, headers = {}, signal, key = savedKey() } = {},
) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(key === "" ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      // The key is the only proof of who calls; a redirect would carry the request elsewhere.
      credentials: "omit",
      redirect: "error",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("The platform cannot be reached. Is it still running?");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** The errors of all surfaces, in one shape. */
async function refusal(response) {
  const text = await response.text().catch(() => "");
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    // A proxy's page: the status is what can be said.
  }
  const { status } = response;
  const problem = typeof body.error === "object" && body.error !== null ? body.error : {};
  const fields = (Array.isArray(body.invalid_fields) ? body.invalid_fields : []).map((field) => ({
    name: String(field.field ?? "").replace(/^input\./, ""),
    message: String(field.description ?? ""),
  }));
  const message =
    problem.message ??
    (fields.length > 0 ? "Some inputs are not right." : undefined) ??
    (typeof body.detail === "string" ? body.detail : undefined) ??
    (Array.isArray(body.errors) ? body.errors.map((one) => one.message).join(" ") : undefined) ??
    (typeof body.error === "string" ? body.error : undefined) ??
    `The platform answered ${status}.`;
  const whole = problem.hint === undefined ? message : `${message} ${problem.hint}`;
  return new ApiError(String(whole), { status, fields, code: problem.code });
}

const catalog = "/api/v1/catalog/models";

/** Checks a key without keeping it. */
export async function checkKey(key) {
  await request(catalog, { key });
}

/** The models that the key may call, sorted by name, without their schemas. */
export async function listModels() {
  const response = await request(catalog);
  const { models } = await response.json();
  return models.map(readModel).toSorted((one, other) => one.id.localeCompare(other.id));
}

/** One model with its schemas. */
export async function getModel(id) {
  const response = await request(`${catalog}/${id.split("/").map(encodeURIComponent).join("/")}`);
  return readModel(await response.json());
}

const taskNames = {
  "text-generation": "Text generation",
  "text-embeddings": "Text embeddings",
  "text-to-image": "Text to image",
  "image-to-image": "Image to image",
  "image-to-text": "Image to text",
  "text-to-speech": "Text to speech",
  "automatic-speech-recognition": "Speech recognition",
  "text-to-video": "Text to video",
  "image-to-video": "Image to video",
};

function readModel(model) {
  return {
    id: String(model.id),
    name: String(model.name ?? ""),
    description: String(model.description ?? ""),
    task: taskNames[model.task] ?? "Other",
    isChat: (model.requestFormats ?? []).includes("chat-completions"),
    isOwn: model.origin === "own",
    /** False: only with a provider key of one's own. */
    isCallable: model.isCallable !== false,
    providers: (model.upstreams ?? []).flatMap(({ provider }) =>
      provider ? [String(provider)] : [],
    ),
    hardware: String(model.hardware ?? ""),
    version: Number(model.version ?? 0),
    state: String(model.health?.state ?? ""),
    contextLength: Number(model.contextLength ?? 0),
    prices: (model.prices ?? []).map(priceText),
    starts: Object.entries(model.starts ?? {}).map(([mode, { medianMs }]) => ({ mode, medianMs })),
    example: model.example?.input,
    input: model.inputSchema ?? {},
    output: model.outputSchema ?? {},
  };
}

/** `$0.15 per million input tokens`. */
function priceText({ unit, per, usd }) {
  const count = per === 1 ? "" : per === 1_000_000 ? "million " : `${per.toLocaleString("en")} `;
  return `$${usd} per ${count}${unit.replaceAll("-", " ")}${per === 1 ? "" : "s"}`;
}

/** Begins a prediction of any model; it runs on whether or not anybody listens. */
export async function createPrediction({ model, input, signal }) {
  const response = await request("/v1/predictions", {
    method: "POST",
    body: { version: model, input },
    signal,
  });
  return response.json();
}

/** A prediction as it stands, and how its instance started. */
export async function getPrediction(id, { signal } = {}) {
  const response = await request(`/v1/predictions/${encodeURIComponent(id)}`, { signal });
  return { prediction: await response.json(), start: startOf(response) };
}

export async function cancelPrediction(id) {
  await request(`/v1/predictions/${encodeURIComponent(id)}/cancel`, { method: "POST" });
}

/** The prediction's `output`, `error` and `done` events. */
export function streamPrediction(id, { signal }) {
  return request(`/v1/predictions/${encodeURIComponent(id)}/stream`, {
    headers: { accept: "text/event-stream" },
    signal,
  });
}

/** A chat's answer as a stream of chunks; the response's headers say how the instance started. */
export async function streamChat({ model, messages, settings, signal }) {
  const response = await request("/v1/chat/completions", {
    method: "POST",
    body: { model, messages, ...settings, stream: true, stream_options: { include_usage: true } },
    signal,
  });
  return { response, start: startOf(response) };
}

/** From the `x-byom-start…` headers: `{mode, reason, totalMs, phases: [{name, ms}]}`; undefined while none is known. */
function startOf({ headers }) {
  const mode = headers.get("x-byom-start");
  if (mode === null) return undefined;
  const phases = (headers.get("x-byom-start-phases") ?? "")
    .split(", ")
    .filter((phase) => phase !== "")
    .map((phase) => {
      const [name, ...facts] = phase.split(";");
      const duration = facts.find((fact) => fact.startsWith("dur="));
      return { name, ms: Number(duration?.slice("dur=".length) ?? 0) };
    });
  return {
    mode,
    reason: headers.get("x-byom-start-reason") ?? "",
    totalMs: Number(headers.get("x-byom-start-ms") ?? 0),
    phases,
  };
}
