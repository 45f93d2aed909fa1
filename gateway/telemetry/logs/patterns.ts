import type { PatternName } from "./settings.ts";

/** Texts to black out. All quantifiers are bounded, so that no text takes long. */
interface Pattern {
  readonly expression: RegExp;
  /** Whether what looks like it is it. */
  readonly isReal?: (match: string) => boolean;
}

/** Keys of known makers, bearer headers, JSON Web Tokens and private keys; looked for whatever the settings say. */
const secretPatterns: readonly Pattern[] = [
  { expression: /\b(?:bearer|basic)\s{1,4}[\w.~+/=-]{8,4096}/gi },
  { expression: /\b(?:byom|sk|pk|rk|r8|hf|gsk|xai|xoxb|ghp|gho|glpat|key)[-_][\w-]{12,512}/g },
  { expression: /\bgithub_pat_\w{20,255}/g },
  { expression: /\bAIza[\w-]{30,64}/g },
  { expression: /\bA(?:KIA|SIA)[A-Z0-9]{16}\b/g },
  { expression: /\beyJ[\w-]{8,2048}\.[\w-]{8,4096}\.[\w-]{8,1024}/g },
  {
    expression:
      /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]{0,8192}(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g,
  },
];

const textPatterns: Readonly<Record<Exclude<PatternName, "secret-field">, readonly Pattern[]>> = {
  "api-key": secretPatterns,
  // Begins at the beginning of a word only, so that a long one is looked at once.
  email: [
    { expression: /(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g },
  ],
  "card-number": [{ expression: /\b\d(?:[ -]?\d){12,18}\b/g, isReal: hasCheckDigit }],
};

/** Members whose value is a secret whatever it looks like. */
const secretFields =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|password|passwd|secret|client[-_]?secret|(?:x-)?api[-_]?key|access[-_]?token|refresh[-_]?token|private[-_]?key)$/i;

/** Keys never stay in a text. */
export function withoutSecrets(text: string): string {
  return replaceAll(text, secretPatterns, "api-key");
}

/** Blacks out what one built-in pattern finds. */
export function withoutPattern(text: string, name: PatternName): string {
  return name === "secret-field" ? text : replaceAll(text, textPatterns[name], name);
}

export function isSecretField(name: string): boolean {
  return secretFields.test(name);
}

/** What stands in the place of a text that was blacked out. */
export function removed(name: string): string {
  return `[${name}]`;
}

function replaceAll(text: string, patterns: readonly Pattern[], name: string): string {
  return patterns.reduce(
    (rest, { expression, isReal }) =>
      rest.replace(expression, (match) => (isReal?.(match) === false ? match : removed(name))),
    text,
  );
}

/** Luhn's check: a number of 13 to 19 digits that is no card's number passes one time in ten. */
function hasCheckDigit(match: string): boolean {
  const digits = match.replaceAll(/\D/g, "");
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits[digits.length - 1 - index];
    const doubled = Number(digit) * (index % 2 === 1 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
