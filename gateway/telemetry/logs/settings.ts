/**
 * Whether something of a call is kept. `never`: not even when its caller asks; `asked`: when the caller's header says so;
 * `failed`: when it failed, or was asked for; `always`: unless the caller's header says no. A caller's no always holds.
 */
export const keeps = ["never", "asked", "failed", "always"] as const;
export type Keep = (typeof keeps)[number];

/** Calls that a rule is for; every field that is given must fit, and `*` at the end stands for anything. */
export interface LogMatch {
  readonly key?: string;
  readonly route?: string;
  /** The model that answered, or the one that the caller named. */
  readonly model?: string;
  readonly provider?: string;
  readonly surface?: string;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

/** The first rule that fits a call decides; what it leaves out comes from the next one, at the end from the defaults. */
export interface LogRule {
  readonly match?: LogMatch;
  /** `cf-aig-collect-log`. */
  readonly log?: Keep;
  /** `cf-aig-collect-log-payload`. */
  readonly payload?: Keep;
}

export const patternNames = ["email", "card-number", "api-key", "secret-field"] as const;
export type PatternName = (typeof patternNames)[number];

export interface Redaction {
  /** Built-in patterns; keys of this gateway and of providers are removed whatever is said here. */
  readonly patterns: readonly PatternName[];
  readonly expressions: readonly {
    readonly name: string;
    /** JavaScript's regular expressions, with the flag `u`. */
    readonly pattern: string;
    readonly ignoreCase?: boolean;
  }[];
  /** Such as `input.messages[*].content`, `output.**.text`: `*` is one step, `**` any number. */
  readonly paths: readonly string[];
}

export interface Retention {
  readonly days: number;
  readonly entries: number;
  /** Of the file. */
  readonly bytes: number;
}

/** What is kept of the calls, for how long, and what is blacked out in it. */
export interface LogSettings {
  readonly rules: readonly LogRule[];
  readonly redaction: Redaction;
  readonly retention: Retention;
}

const gib = 1024 ** 3;

/**
 * Every call has an entry; inputs and outputs are kept only for calls whose caller asks for it
 * (`cf-aig-collect-log-payload: true`), with everything blacked out that looks like a secret or a person's.
 */
export const defaultLogSettings: LogSettings = {
  rules: [],
  redaction: { patterns: [...patternNames], expressions: [], paths: [] },
  retention: { days: 30, entries: 1_000_000, bytes: 4 * gib },
};
export const defaultRule: Required<Omit<LogRule, "match">> = { log: "always", payload: "asked" };
