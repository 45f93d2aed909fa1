import { z } from "zod";
import { RegistryError } from "../errors.ts";
import type { Clock } from "../transport/retry.ts";
import type { ExchangeRequest, ExchangeResponse, RequestBody } from "../transport/exchange.ts";
import type { Credentials } from "./credentials.ts";
import { Secret } from "./secret.ts";

/** A bearer token and its life. Times in milliseconds since the epoch. */
export interface Token {
  readonly value: Secret;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Life of a token whose answer does not say (distribution, token.md), and the least that is believed. */
const tokenLifeDefaultSeconds = 60;
/** Bytes of a token answer; real ones are below 10 KiB. */
const tokenBodyBytesMax = 256 * 1024;
const clientId = "byom";

/** Sends one request without authorization; retries are its own business. */
export type SendPlain = (
  request: ExchangeRequest,
  accept: readonly number[],
) => Promise<ExchangeResponse>;

/**
 * Asks a token server (distribution, token.md and oauth.md). An identity token goes by POST, with GET for
 * servers that do not know POST; everything else by GET.
 * @throws RegistryError `unauthorized`, `protocol`, and what the sender throws.
 */
export async function fetchToken(options: {
  readonly send: SendPlain;
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}): Promise<Token> {
  const { credentials } = options;
  const issuedAt = options.clock.now();
  let response: ExchangeResponse | undefined;
  if (credentials?.kind === "identity-token") {
    response = await postForToken(options, credentials.token);
  }
  response ??= await getToken(options);
  const body = await response.readUpTo(tokenBodyBytesMax);
  const { token, lifeSeconds } = parseTokenAnswer(body.toString("utf8"), options.realm);
  return { value: new Secret(token), issuedAt, expiresAt: issuedAt + lifeSeconds * 1000 };
}

async function getToken(options: Parameters<typeof fetchToken>[0]): Promise<ExchangeResponse> {
  const url = new URL(options.realm);
  if (options.service !== undefined) url.searchParams.set("service", options.service);
  for (const scope of options.scopes) url.searchParams.append("scope", scope);
  if (options.credentials?.kind === "basic")
    url.searchParams.set("account", options.credentials.username);
  return options.send(
    { method: "GET", url, headers: basicHeader(options.credentials), signal: options.signal },
    [200],
  );
}

/** Undefined when the server does not know POST. */
async function postForToken(
  options: Parameters<typeof fetchToken>[0],
  refreshToken: Secret,
): Promise<ExchangeResponse | undefined> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    service: options.service ?? "",
    client_id: clientId,
    scope: options.scopes.join(" "),
    refresh_token: refreshToken.reveal(),
  });
  const response = await options.send(
    {
      method: "POST",
      url: options.realm,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: bytesBody(Buffer.from(form.toString())),
      signal: options.signal,
    },
    [200, 404, 405],
  );
  if (response.status === 200) return response;
  await response.discard();
  return undefined;
}

/** `Authorization: Basic …` for a user name with a password; nothing for anything else. */
export function basicHeader(credentials: Credentials | undefined): Record<string, string> {
  if (credentials?.kind !== "basic") return {};
  const pair = Buffer.from(`${credentials.username}:${credentials.password.reveal()}`);
  return { authorization: `Basic ${pair.toString("base64")}` };
}

/** A small body that can be sent any number of times. */
export function bytesBody(bytes: Uint8Array): RequestBody {
  return {
    sizeBytes: bytes.byteLength,
    isReplayable: true,
    async *open() {
      yield bytes;
    },
  };
}

const answerSchema = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional(),
});

function parseTokenAnswer(text: string, realm: URL): { token: string; lifeSeconds: number } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = answerSchema.safeParse(value);
  const token = parsed.data?.token || parsed.data?.access_token;
  // A token goes into a header: whatever cannot stand there is refused before undici sees it.
  if (!token || !/^[\u0021-\u007e]+$/.test(token)) {
    throw new RegistryError({
      code: "protocol",
      message: `the token server ${realm.host} answered without a usable token`,
      hint: "check the realm in the registry's auth configuration",
    });
  }
  const stated = parsed.data?.expires_in;
  return {
    token,
    lifeSeconds: stated !== undefined && stated > 0 ? stated : tokenLifeDefaultSeconds,
  };
}
