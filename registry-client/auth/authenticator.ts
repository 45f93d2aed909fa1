import { RegistryError, RegistryResponseError } from "../errors.ts";
import { resolveAddress } from "../transport/redirect.ts";
import type { Clock } from "../transport/retry.ts";
import { parseChallenges, type Challenge } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { formatScope, mergeScopes, type Scope } from "./scope.ts";
import { basicHeader, fetchToken, type SendPlain, type Token } from "./token.ts";

/** Share of a token's life after which it is replaced. */
const refreshAfterShare = 0.8;
/** Life that a token must still have before a body is started with it, in milliseconds. */
const bodyTokenLifeMinMs = 60_000;

/** Answers a registry's challenges and remembers what it asked for; one per registry client. */
export class Authenticator {
  readonly #registry: URL;
  readonly #credentials: Credentials | undefined;
  readonly #clock: Clock;
  readonly #send: SendPlain;
  #challenge: Challenge | undefined;
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(options: {
    readonly registry: URL;
    readonly credentials: Credentials | undefined;
    readonly clock: Clock;
    readonly send: SendPlain;
  }) {
    this.#registry = options.registry;
    this.#credentials = options.credentials;
    this.#clock = options.clock;
    this.#send = options.send;
  }

  /** Headers for a request, from what earlier challenges taught; none before the first challenge. */
  async authorize(options: {
    readonly scopes: readonly Scope[];
    readonly hasBody: boolean;
    readonly signal?: AbortSignal | undefined;
  }): Promise<Record<string, string>> {
    if (this.#credentials?.kind === "registry-token") {
      return { authorization: `Bearer ${this.#credentials.token.reveal()}` };
    }
    if (this.#challenge?.scheme === "basic") return basicHeader(this.#credentials);
    if (this.#challenge?.scheme !== "bearer") return {};
    const key = scopeKey(options.scopes);
    const cached = await settled(this.#tokens.get(key));
    if (cached && !this.#isFresh(cached, options.hasBody)) this.#tokens.delete(key);
    const token = await this.#token(options.scopes, undefined, options.signal);
    return { authorization: `Bearer ${token.value.reveal()}` };
  }

  /**
   * Takes a 401's challenge. True when the same request may be sent once more because something new can be
   * said; false when the registry has heard all that we know.
   */
  async answer(options: {
    readonly header: string | undefined;
    readonly scopes: readonly Scope[];
    readonly sent: string | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<boolean> {
    if (this.#credentials?.kind === "registry-token") return false;
    const challenges = parseChallenges(options.header ?? "");
    const bearer = challenges.find(
      ({ scheme, parameters }) => scheme === "bearer" && parameters["realm"],
    );
    if (bearer) {
      this.#challenge = bearer;
      // A token that was refused is of no use to anybody, however young it is.
      this.#tokens.delete(scopeKey(options.scopes));
      await this.#token(options.scopes, bearer.parameters["scope"], options.signal);
      return true;
    }
    const basic = challenges.find(({ scheme }) => scheme === "basic");
    if (!basic || this.#credentials?.kind !== "basic" || options.sent?.startsWith("Basic "))
      return false;
    this.#challenge = basic;
    return true;
  }

  async #token(
    scopes: readonly Scope[],
    challenged: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const key = scopeKey(scopes);
    let pending = this.#tokens.get(key);
    if (!pending) {
      pending = this.#fetch(mergeScopes(scopes, challenged));
      this.#tokens.set(key, pending);
      pending.catch(() => {
        if (this.#tokens.get(key) === pending) this.#tokens.delete(key);
      });
    }
    return raceWithSignal(pending, signal);
  }

  /** Shared by all who wait for it, so no single caller's signal ends it; the idle timeout does. */
  async #fetch(scopes: readonly string[]): Promise<Token> {
    const { parameters } = this.#challenge ?? { parameters: {} as Record<string, string> };
    const realm = resolveAddress({
      address: parameters["realm"] ?? "",
      base: this.#registry,
      registry: this.#registry,
      what: "token realm",
    });
    const service = parameters["service"];
    try {
      return await fetchToken({
        send: this.#send,
        realm,
        service,
        scopes,
        credentials: this.#credentials,
        clock: this.#clock,
      });
    } catch (error) {
      throw this.#aboutToken(error, scopes);
    }
  }

  /** A token server's refusal concerns the login at the registry, whatever the token server is called. */
  #aboutToken(error: unknown, scopes: readonly string[]): unknown {
    if (!(error instanceof RegistryResponseError)) return error;
    const { hostname, host } = this.#registry;
    const login = hostname.endsWith("docker.io") ? "docker login" : `docker login ${host}`;
    return error.restated({
      message: `no token for ${scopes.join(" ")}: ${error.message}`,
      ...(error.status === 401 || error.status === 403 ? { hint: `log in again: ${login}` } : {}),
    });
  }

  #isFresh(token: Token, hasBody: boolean): boolean {
    const lifeMs = token.expiresAt - token.issuedAt;
    const now = this.#clock.now();
    if (now >= token.issuedAt + lifeMs * refreshAfterShare) return false;
    // A token that never lives that long must at least be new.
    const neededMs = Math.min(bodyTokenLifeMinMs, lifeMs * refreshAfterShare);
    return !hasBody || token.expiresAt - now >= neededMs;
  }
}

/** The refused scopes in the words of the registry, for the error that ends a request. */
export function describeScopes(scopes: readonly Scope[]): string {
  return scopes.map(formatScope).join(" ");
}

function scopeKey(scopes: readonly Scope[]): string {
  return scopes.map(formatScope).join(" ");
}

async function settled(pending: Promise<Token> | undefined): Promise<Token | undefined> {
  try {
    return await pending;
  } catch (error) {
    // Whoever fetched it reports the failure; here it only means that there is no token.
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

async function raceWithSignal<T>(pending: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return pending;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([pending, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
