import { createContext, Script } from "node:vm";

import { redactionMs } from "../limits.ts";
import { isSecretField, removed, withoutPattern, withoutSecrets } from "./patterns.ts";
import { readPath, type PathStep } from "./redaction-path.ts";
import type { Redaction } from "./settings.ts";

/** Blacks out texts as the settings say. */
export interface Redactor {
  /** An error, as JSON or not. */
  text(text: string): string;
  /** Metadata and other words that are searched by: only keys and known secrets are taken out of them. */
  secretsOf(text: string): string;
  /** Input and output of a call, as JSON. */
  payload(payload: RedactedPayload): RedactedPayload;
}

/** JSON texts. */
export interface RedactedPayload {
  readonly input: string;
  readonly output: string;
}

/**
 * Makes a redactor. The operator's expressions run under a deadline: one that takes too long on a text fails closed, so
 * that nothing is kept which it might have blacked out.
 */
export function createRedactor(options: {
  readonly redaction: Redaction;
  /** Keys as they are: those of the providers. */
  readonly secrets: readonly string[];
  /** An expression took too long. */
  readonly onTimeout?: () => void;
}): Redactor {
  const { redaction, onTimeout } = options;
  const secrets = options.secrets.filter((secret) => secret.length >= secretCharactersMin);
  const expressions = redaction.expressions.map(({ name, pattern, ignoreCase = false }) => ({
    name,
    expression: new RegExp(pattern, ignoreCase ? "giu" : "gu"),
  }));
  const paths = redaction.paths.map(readPath);
  const hidesFields = redaction.patterns.includes("secret-field");
  const inTime = expressions.length === 0 ? (work: () => string) => work() : createDeadline();
  const secretsOf = (text: string): string =>
    withoutSecrets(
      secrets.reduce((rest, secret) => rest.replaceAll(secret, removed("secret")), text),
    );
  const builtIn = (text: string): string =>
    redaction.patterns.reduce(withoutPattern, secretsOf(text));
  const clean = (text: string): string =>
    expressions.reduce(
      (rest, { name, expression }) => rest.replaceAll(expression, removed(name)),
      builtIn(text),
    );
  const guarded = (work: () => string, instead: string): string => {
    try {
      return inTime(work);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      onTimeout?.();
      return instead;
    }
  };
  const cleanJson = (json: string, root: "input" | "output"): string =>
    guarded(() => {
      const value: unknown = JSON.parse(json);
      const holder = { [root]: value };
      for (const path of paths) hidePath(holder, path);
      return JSON.stringify(cleanValue(holder[root], { clean, hidesFields })) ?? "null";
    }, JSON.stringify(tooSlow));
  return {
    text: (text) => guarded(() => clean(text), tooSlow),
    secretsOf,
    payload: ({ input, output }) => ({
      input: cleanJson(input, "input"),
      output: cleanJson(output, "output"),
    }),
  };
}

/** A shorter one would black out ordinary words. */
const secretCharactersMin = 8;

/** What is said in the place of a text. */
const tooSlow = `[removed: a redaction expression took longer than ${redactionMs} ms]`;

/** Runs work that may be a regular expression without end; V8 interrupts those, too. */
function createDeadline(): (work: () => string) => string {
  const holder: { work: () => string } = { work: () => "" };
  const context = createContext(holder);
  const script = new Script("work()");
  return (work) => {
    holder.work = work;
    return script.runInContext(context, { timeout: redactionMs }) as string;
  };
}

interface Cleaning {
  readonly clean: (text: string) => string;
  readonly hidesFields: boolean;
}

function cleanValue(value: unknown, cleaning: Cleaning): unknown {
  if (typeof value === "string") return cleaning.clean(value);
  if (typeof value === "number") return cleanNumber(value, cleaning);
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, cleaning));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      cleaning.clean(name),
      cleaning.hidesFields && isSecretField(name)
        ? removed("secret-field")
        : cleanValue(item, cleaning),
    ]),
  );
}

/** A card's number may have been sent as a number. */
function cleanNumber(value: number, { clean }: Cleaning): unknown {
  const text = String(value);
  if (text.length < numberDigitsMin) return value;
  const cleaned = clean(text);
  return cleaned === text ? value : cleaned;
}

const numberDigitsMin = 12;

function hidePath(value: unknown, [step, ...rest]: readonly PathStep[]): void {
  if (step === undefined || typeof value !== "object" || value === null) return;
  if (step.kind === "deep") {
    hidePath(value, rest);
    for (const item of Object.values(value)) hidePath(item, [step, ...rest]);
    return;
  }
  const holder = value as Record<string, unknown>;
  const names = step.kind === "any" ? Object.keys(holder) : [step.name];
  for (const name of names) {
    if (!Object.hasOwn(holder, name)) continue;
    if (rest.length === 0) holder[name] = removed("redacted");
    else hidePath(holder[name], rest);
  }
}
