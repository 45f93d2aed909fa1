import { inspect } from "node:util";

/** A password or token that no formatter prints: only `reveal()` gives it away. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    // console.log and error printers ask for this.
    Object.defineProperty(this, inspect.custom, { value: () => redacted });
  }

  /** The value itself; call it where a header or a form is written and nowhere else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }
}

const redacted = "[REDACTED]";
