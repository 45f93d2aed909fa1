import { GatewayError } from "../../../errors.ts";
import type { ProviderCall } from "../adapter.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The standard inputs of one call (`catalog/standard-schemas.ts`), each to be read once. What no one read at the end is
 * an input that the provider does not have: `finish` refuses it, so that nothing is dropped silently.
 */
export class Inputs {
  readonly #call: ProviderCall;
  readonly #unread: Map<string, unknown>;

  constructor(call: ProviderCall) {
    this.#call = call;
    const given = Object.entries(call.input).filter(([, value]) => value !== null);
    this.#unread = new Map(given.filter(([, value]) => value !== undefined));
  }

  /** @throws `GatewayError` `invalid_input` when it is no text */
  text(name: string): string | undefined {
    return this.#take(name, "text", isText);
  }

  number(name: string): number | undefined {
    return this.#take(name, "a number", isNumber);
  }

  flag(name: string): boolean | undefined {
    return this.#take(name, "true or false", isFlag);
  }

  /** A list of texts, or one. */
  texts(name: string): readonly string[] {
    const value = this.#take(name, "a list of texts", isTexts);
    if (value === undefined) return [];
    return typeof value === "string" ? [value] : value;
  }

  /** @throws `GatewayError` `invalid_input` when it is missing */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw this.wrong(name, "is required");
    return value;
  }

  /** Of `1280x720`. @throws `GatewayError` `invalid_input` for another form */
  size(): Size | undefined {
    const value = this.text("size");
    if (value === undefined) return undefined;
    const [, width, height] = /^(\d{1,5})[x*](\d{1,5})$/.exec(value) ?? [];
    if (width === undefined || height === undefined) {
      throw this.wrong("size", "must be WIDTHxHEIGHT, such as 1280x720");
    }
    return { width: Number(width), height: Number(height) };
  }

  /** Whether it was given and is still unread. */
  has(name: string): boolean {
    return this.#unread.has(name);
  }

  /** The error for an input that this model does not have. */
  unsupported(name: string, why?: string): GatewayError {
    const { http, model } = this.#call;
    return new GatewayError(
      "unsupported_parameter",
      `${model} of ${http.provider} has no input for ${name}${why === undefined ? "." : `: ${why}`}`,
      { parameter: name },
    );
  }

  /** The error for a value that cannot be told to the provider; `why` goes on after the input's name. */
  wrong(name: string, why: string): GatewayError {
    return new GatewayError("invalid_input", `${name} ${why}.`, { parameter: name });
  }

  /** Refuses an input for this model, if it was given. @throws `GatewayError` `unsupported_parameter` */
  refuse(name: string, why?: string): void {
    if (this.has(name)) throw this.unsupported(name, why);
  }

  /** To be called once everything was read. @throws `GatewayError` `unsupported_parameter` for the first unread one */
  finish(): void {
    for (const name of this.#unread.keys()) throw this.unsupported(name);
  }

  #take<Value>(
    name: string,
    kind: string,
    isValue: (value: unknown) => value is Value,
  ): Value | undefined {
    const value = this.#unread.get(name);
    if (value === undefined) return undefined;
    if (!isValue(value)) throw this.wrong(name, `must be ${kind}`);
    this.#unread.delete(name);
    return value;
  }
}

/** An object without the entries that have no value, as providers want them left out. */
export function given(
  entries: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}

/** Whether a call works on an image: by its task, or because it brought one to a model that takes both. */
export function hasImage({ task, input }: ProviderCall): boolean {
  const isNeeded = task === "image-to-video" || task === "image-to-image";
  return isNeeded || (input["image"] ?? undefined) !== undefined;
}

/** The error of an adapter for a task that its provider has nothing for. */
export function noSuchTask({ http, task, model }: ProviderCall): GatewayError {
  return new GatewayError("unsupported_parameter", `${http.provider} has no ${task} (${model}).`, {
    parameter: "model",
    hint: "The catalog's entry for this model names a task that its provider does not offer.",
  });
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isTexts(value: unknown): value is string | readonly string[] {
  return isText(value) || (Array.isArray(value) && value.every(isText));
}
