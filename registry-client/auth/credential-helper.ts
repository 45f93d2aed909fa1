import { z } from "zod";
import { RegistryError } from "../errors.ts";
import { stripControlCharacters } from "../transport/error.ts";
import type { Credentials, Environment } from "./credentials.ts";
import { Secret } from "./secret.ts";

/** A helper may ask a keychain or a cloud; longer than this it hangs. Milliseconds. */
const helperTimeoutMs = 30_000;
/** Characters of a helper's output; secrets are a few thousand. */
const helperOutputMax = 256 * 1024;

const answerSchema = z.object({ Username: z.string(), Secret: z.string() });

/**
 * Runs `docker-credential-HELPER get` with the server on stdin (docker-credential-helpers protocol).
 * Undefined when the helper knows nothing of this server.
 * @throws RegistryError `invalid-credentials` when it fails otherwise; the signal's reason.
 */
export async function runCredentialHelper(options: {
  readonly helper: string;
  readonly server: string;
  readonly environment: Environment;
  readonly signal?: AbortSignal | undefined;
}): Promise<Credentials | undefined> {
  const { helper, server, environment, signal } = options;
  if (!/^[\w.-]+$/.test(helper)) throw failed(helper, "its name is not well-formed");
  // Loaded here because most logins need no helper, and it would be a fifth of the client's memory.
  const { execa } = await import("execa");
  const result = await execa(`docker-credential-${helper}`, ["get"], {
    input: server,
    env: environment,
    extendEnv: false,
    timeout: helperTimeoutMs,
    maxBuffer: helperOutputMax,
    reject: false,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  signal?.throwIfAborted();
  if (result.timedOut) throw failed(helper, `it did not answer within ${helperTimeoutMs / 1000} s`);
  if (result.exitCode !== 0) {
    // Helpers report on stdout, by convention with this sentence.
    const said = `${result.stdout} ${result.stderr}`;
    if (said.includes("credentials not found")) return undefined;
    const reason =
      result.exitCode === undefined
        ? "it could not be started"
        : `it exited with ${result.exitCode}`;
    throw failed(helper, `${reason}: ${stripControlCharacters(result.stderr.slice(0, 500))}`);
  }
  return parseAnswer(helper, result.stdout);
}

function parseAnswer(helper: string, text: string): Credentials | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw failed(helper, "its answer is not JSON");
  }
  const parsed = answerSchema.safeParse(value);
  if (!parsed.success) throw failed(helper, "its answer lacks Username or Secret");
  const { Username: username, Secret: secret } = parsed.data;
  if (username === "" && secret === "") return undefined;
  if (username === "<token>") return { kind: "identity-token", token: new Secret(secret) };
  return { kind: "basic", username, password: new Secret(secret) };
}

function failed(helper: string, reason: string): RegistryError {
  return new RegistryError({
    code: "invalid-credentials",
    message: `the credential helper docker-credential-${helper} failed: ${reason}`,
    hint: "install the helper on PATH, or remove it from credHelpers/credsStore in docker's config.json",
  });
}
