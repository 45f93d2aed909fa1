import {
  checkFields,
  Refusal,
  startAdminDouble,
  type AdminDouble,
  type AdminRequest,
} from "./admin-double.ts";

export const adminToken = "admin-token";
const unauthorized = { message: "no such token" };

function assertBearer({ headers }: AdminRequest): void {
  if (headers.authorization !== `Bearer ${adminToken}`)
    throw new Refusal(401, { error: unauthorized });
}

/** LiteLLM's proxy with a database (management_endpoints/model_management_endpoints.py; error shape `{error: {message}}`). */
export function startLiteLlmDouble(): Promise<AdminDouble> {
  const models = new Map<string, Record<string, unknown>>([
    // One of the config file: the API does not change it, whatever its name.
    ["config-1", { model_name: "me/vectors", litellm_params: { model: "openai/me/vectors" } }],
  ]);
  const refuse = (message: string): Refusal =>
    new Refusal(422, { error: { message, code: "422" } });
  const check = (body: Record<string, unknown>): void => {
    checkFields(
      body,
      { model_name: "string", litellm_params: "object", model_info: "object" },
      refuse,
    );
    const prices = [
      "input_cost_per_token",
      "output_cost_per_token",
      "cache_read_input_token_cost",
      "input_cost_per_second",
      "output_cost_per_image",
    ];
    checkFields(
      body["litellm_params"],
      {
        model: "string",
        api_base: "string",
        api_key: "string",
        ...Object.fromEntries(prices.map((name) => [name, "number?"])),
      },
      refuse,
    );
    const { mode } = body["model_info"] as { mode?: unknown };
    if (
      !["chat", "embedding", "image_generation", "audio_speech", "audio_transcription"].includes(
        String(mode),
      )
    ) {
      throw refuse(`mode ${String(mode)}`);
    }
  };
  return startAdminDouble((request) => {
    assertBearer(request);
    const { method, path, body } = request;
    if (method === "GET" && path === "/v1/model/info") {
      const data = [...models].map(([id, model]) => ({
        ...model,
        model_info: {
          ...(model["model_info"] as object | undefined),
          id,
          db_model: !id.startsWith("config"),
        },
      }));
      return { body: { data } };
    }
    if (method === "POST" && path === "/model/new") {
      check(body);
      models.set(`id-${models.size}`, body);
      return { body };
    }
    const id = /^\/model\/([^/]+)\/update$/.exec(path)?.[1] ?? "";
    if (method !== "PATCH" || !models.has(id))
      throw new Refusal(404, { error: { message: `no route ${path}` } });
    check(body);
    if ((body["model_info"] as { id?: unknown }).id !== id)
      throw refuse("the model would get a new id");
    models.set(id, body);
    return { body };
  });
}

/** Bifrost (transports/bifrost-http/handlers/providers.go, 2026-08): keys have routes of their own. */
export function startBifrostDouble(options: {
  readonly hasKeyRoutes: boolean;
}): Promise<AdminDouble> {
  const providers = new Map<string, Record<string, unknown>>();
  const keys: Record<string, unknown>[] = [];
  const refuse = (message: string): Refusal => new Refusal(400, { error: { message } });
  const checkConfig = (config: Record<string, unknown>): void => {
    checkFields(
      config["network_config"],
      { base_url: "string", allow_private_network: "boolean?" },
      refuse,
    );
    const { base_url: url, allow_private_network: isPrivate } = config["network_config"];
    if (/127\.0\.0\.1|localhost/.test(String(url)) && isPrivate !== true)
      throw refuse("Invalid base URL: private");
    const custom = config["custom_provider_config"];
    checkFields(
      custom,
      {
        base_provider_type: "string",
        allowed_requests: "object",
        request_path_overrides: "object",
      },
      refuse,
    );
    const known = [
      "chat_completion",
      "chat_completion_stream",
      "embedding",
      "image_generation",
      "speech",
      "transcription",
    ];
    checkFields(
      custom["allowed_requests"],
      Object.fromEntries(known.map((name) => [name, "boolean?"])),
      refuse,
    );
  };
  const checkKey = (key: Record<string, unknown>): void => {
    checkFields(
      key,
      { name: "string", value: "string", models: "array", weight: "number" },
      refuse,
    );
  };
  return startAdminDouble(({ method, path, body }) => {
    const [, , , name = "", sub, keyId] = path.split("/");
    if (path === "/api/providers" && method === "POST") {
      checkFields(
        body,
        {
          provider: "string",
          keys: "array",
          network_config: "object",
          custom_provider_config: "object",
        },
        refuse,
      );
      if (providers.has(String(body["provider"])))
        throw new Refusal(409, { error: { message: "already exists" } });
      checkConfig(body);
      for (const key of body["keys"] as Record<string, unknown>[]) checkKey(key);
      providers.set(String(body["provider"]), {
        ...body,
        concurrency_and_buffer_size: { concurrency: 7, buffer_size: 9 },
      });
      return { body };
    }
    const provider = providers.get(name);
    if (sub === "keys" && options.hasKeyRoutes && provider !== undefined) {
      if (method === "GET") return { body: { keys } };
      checkKey(body);
      if (method === "POST" && keyId === undefined) keys.push({ ...body, id: `k${keys.length}` });
      else if (method === "PUT" && keys.some(({ id }) => id === keyId)) return { body };
      else throw new Refusal(404, { error: { message: "no such key" } });
      return { body };
    }
    if (sub !== undefined || provider === undefined)
      throw new Refusal(404, { error: { message: "Provider not found" } });
    if (method === "PUT") {
      // Partial updates are not supported; keys have their own routes.
      checkFields(
        body,
        {
          network_config: "object",
          custom_provider_config: "object",
          concurrency_and_buffer_size: "object",
        },
        refuse,
      );
      const { concurrency } = body["concurrency_and_buffer_size"] as { concurrency?: unknown };
      if (concurrency !== 7) throw refuse("the provider's own concurrency was lost");
      checkConfig(body);
    }
    return { body: { name, ...provider } };
  });
}

/** The hosted Portkey (its OpenAPI document, 2026); errors are `{success: false, data: {message}}`. */
export function startPortkeyDouble(): Promise<AdminDouble> {
  const integrations = new Map<string, Record<string, unknown>>();
  const refuse = (message: string): Refusal => new Refusal(400, { success: false, message });
  return startAdminDouble(({ method, path, headers, body }) => {
    if (headers["x-portkey-api-key"] !== adminToken) throw new Refusal(401, unauthorized);
    const update = {
      name: "string",
      key: "string",
      description: "string",
      configurations: "object",
    };
    if (method === "POST" && path === "/integrations") {
      checkFields(
        body,
        { ...update, slug: "string", ai_provider_id: "string", create_default_provider: "boolean" },
        refuse,
      );
      if (integrations.has(String(body["slug"])))
        throw new Refusal(409, { message: "slug is taken" });
      checkFields(body["configurations"], { custom_host: "string" }, refuse);
      integrations.set(String(body["slug"]), body);
      return { body: { id: "i1", slug: body["slug"] } };
    }
    const slug = /^\/integrations\/([^/]+)$/.exec(path)?.[1] ?? "";
    if (!integrations.has(slug)) throw new Refusal(404, { message: "no such integration" });
    if (method === "PUT") checkFields(body, update, refuse);
    return { body: { slug } };
  });
}

/** Cloudflare's account API (npm cloudflare 7.3.0, resources/ai-gateway), in Cloudflare's envelope. */
export function startCloudflareDouble(): Promise<AdminDouble> {
  const custom: Record<string, unknown>[] = [];
  const configs: Record<string, unknown>[] = [];
  const refuse = (message: string): Refusal =>
    new Refusal(400, { success: false, errors: [{ code: 7001, message }], result: null });
  const wrap = (result: unknown): { body: unknown } => ({
    body: { success: true, errors: [], result },
  });
  const fields = {
    name: "string",
    slug: "string",
    base_url: "string",
    enable: "boolean?",
    description: "string?",
  };
  const check = (body: Record<string, unknown>): void => {
    checkFields(body, fields, refuse);
    if (!String(body["base_url"]).startsWith("https://")) throw refuse("base_url must be https");
  };
  return startAdminDouble((request) => {
    const { method, path, query, body, headers } = request;
    if (headers.authorization !== `Bearer ${adminToken}`) {
      throw new Refusal(403, {
        success: false,
        errors: [{ code: 10_000, message: "Authentication error" }],
      });
    }
    if (path === "/ai-gateway/custom-providers") {
      if (method === "GET") {
        const search = query.get("search") ?? "";
        return wrap(custom.filter(({ slug }) => String(slug).includes(search)));
      }
      check(body);
      custom.push({ ...body, id: `c${custom.length}` });
      return wrap(body);
    }
    if (path === "/ai-gateway/gateways/main/provider_configs") {
      if (method === "GET") return wrap(configs);
      checkFields(
        body,
        { provider_slug: "string", alias: "string", default_config: "boolean", secret: "string" },
        refuse,
      );
      configs.push(body);
      return wrap(body);
    }
    const id = /^\/ai-gateway\/custom-providers\/(\w+)$/.exec(path)?.[1];
    if (method !== "PATCH" || !custom.some((one) => one["id"] === id))
      throw refuse(`no route for ${method} ${path}`);
    check(body);
    return wrap(body);
  });
}

/** Kong's Admin API: objects are put under their name or id; error shape `{message, fields}`. */
export function startKongDouble(): Promise<AdminDouble> {
  const objects = new Map<string, Record<string, unknown>>();
  const refuse = (message: string): Refusal =>
    new Refusal(400, { message: `schema violation (${message})`, code: 2 });
  return startAdminDouble(({ method, path, headers, body }) => {
    if (headers["kong-admin-token"] !== adminToken)
      throw new Refusal(401, { message: "Invalid credentials" });
    const [, kind = "", id = ""] = path.split("/");
    if (method === "GET") {
      if (!objects.has(path)) throw new Refusal(404, { message: "Not found" });
      return { body: objects.get(path) };
    }
    if (method !== "PUT") throw new Refusal(405, { message: "Method not allowed" });
    if (kind === "services") checkFields(body, { url: "string" }, refuse);
    else if (kind === "routes") {
      checkFields(body, { paths: "array", service: "object" }, refuse);
      const { name } = body["service"] as { name: string };
      if (!objects.has(`/services/${name}`)) throw refuse(`foreign: no service ${name}`);
    } else if (kind === "plugins") {
      if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
        throw refuse("id: expected a valid UUID");
      checkFields(body, { name: "string", config: "object", route: "object" }, refuse);
      if (!objects.has(`/routes/${String((body["route"] as { name: string }).name)}`))
        throw refuse("foreign: no route");
      checkFields(
        body["config"],
        { route_type: "string", auth: "object", model: "object", logging: "object" },
        refuse,
      );
      const { model, route_type: type } = body["config"];
      if (!["llm/v1/chat", "llm/v1/embeddings"].includes(String(type))) throw refuse("route_type");
      checkFields(model, { provider: "string", name: "string", options: "object" }, refuse);
      checkFields(
        model["options"],
        { upstream_url: "string", input_cost: "number?", output_cost: "number?" },
        refuse,
      );
    } else throw refuse(kind);
    objects.set(path, body);
    return { body };
  });
}
