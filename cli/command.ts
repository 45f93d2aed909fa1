import type { ParseArgsOptionDescriptor } from "node:util";
import type { Context } from "./context.ts";

/** How a verb is found and listed, without loading what it needs. */
export interface CommandEntry {
  /** One word, or two for a group: `host setup`. */
  readonly name: string;
  /** Other names that mean the same, such as cog's `predict` for `run`. */
  readonly aliases?: readonly string[];
  /** One line of `byom --help`. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** A verb of the CLI as data: parse, call one library function, report. */
export interface Command {
  /** What follows the name in the usage line, such as `[OWNER/NAME] [-i NAME=VALUE]…`. */
  readonly usage: string;
  readonly options?: Readonly<Record<string, Option>>;
  /** How many positional arguments are accepted. */
  readonly positionals?: { readonly min: number; readonly max: number };
  /** Resolves when the answer has been reported; rejects with an error that carries a code and a hint. */
  run(invocation: Invocation): Promise<void>;
}

export interface Option extends ParseArgsOptionDescriptor {
  readonly help: string;
  /** Shown after the flag in the help: `--tag NAME`. */
  readonly value?: string;
}

/** A parsed command line. */
export interface Invocation {
  readonly positionals: readonly string[];
  readonly flags: Flags;
  readonly context: Context;
}

/** Typed access to what parseArgs found. */
export interface Flags {
  /** The flag's value, or undefined when it was not given. */
  text(name: string): string | undefined;
  /** Every value of a repeatable flag, in order. */
  texts(name: string): readonly string[];
  has(name: string): boolean;
}

export function createFlags(values: Readonly<Record<string, unknown>>): Flags {
  return {
    text: (name) => {
      const value = values[name];
      return typeof value === "string" ? value : undefined;
    },
    texts: (name) => {
      const value = values[name];
      return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
    },
    has: (name) => values[name] === true,
  };
}
