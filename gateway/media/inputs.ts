import type { CatalogEntry, JsonSchema, RequestFormat, Task } from "../catalog/entry.ts";
import { resolveSchema } from "../catalog/schema.ts";
import { propertiesOf } from "../catalog/validate-input.ts";
import { GatewayError } from "../errors.ts";

/** A parameter of a call, on its way to the input that takes it. */
export interface Parameter {
  /** As the caller knows it, for the refusal. */
  readonly name: string;
  readonly value: unknown;
  /** Names under which models take it, the most usual first. */
  readonly names: readonly string[];
  /** Values that ask for nothing, so that a model without such an input serves the call as well. */
  readonly neutral?: readonly unknown[];
}

/** Fills a model's inputs from a call in some other shape, by `byom.yaml`'s mapping and by convention on their names. */
export class ModelInputs {
  readonly entry: CatalogEntry;
  readonly #properties: Readonly<Record<string, JsonSchema>>;
  readonly #input: Record<string, unknown> = {};

  constructor(entry: CatalogEntry) {
    this.entry = entry;
    this.#properties = propertiesOf(entry.inputSchema);
  }

  /** What has been filled so far. */
  get input(): Readonly<Record<string, unknown>> {
    return this.#input;
  }

  /** The model's own name for one of these names of the conventions. */
  nameOf(names: readonly string[]): string | undefined {
    const { mapping } = this.entry;
    for (const name of names) {
      const mapped = mapping?.inputs?.[name];
      if (mapped !== undefined && Object.hasOwn(this.#properties, mapped)) return mapped;
    }
    return names.find((name) => Object.hasOwn(this.#properties, name));
  }

  /** The schema of an input, references folded in. */
  schemaOf(name: string): JsonSchema {
    return resolveSchema(this.entry.inputSchema, this.#properties[name] ?? {});
  }

  /** The JSON types that an input takes; empty: any. */
  typesOf(name: string): ReadonlySet<string> {
    const schema = this.schemaOf(name);
    const options = schema["anyOf"] ?? schema["oneOf"] ?? [schema];
    const types = (options as readonly JsonSchema[]).map(
      (option) => resolveSchema(this.entry.inputSchema, option)["type"],
    );
    return new Set(types.filter((type): type is string => typeof type === "string"));
  }

  /** The values that an input is limited to. */
  choicesOf(name: string): readonly unknown[] | undefined {
    const choices = this.schemaOf(name)["enum"];
    return Array.isArray(choices) ? choices : undefined;
  }

  /** Sets an input by its own name. */
  set(name: string, value: unknown): void {
    this.#input[name] = this.#fit(name, value);
  }

  /** Sets the first of the names that the model has; false when it has none of them. */
  put(names: readonly string[], value: unknown): boolean {
    const name = this.nameOf(names);
    if (name === undefined) return false;
    this.set(name, value);
    return true;
  }

  /** @throws `GatewayError` `unsupported_parameter` for a value that asks for something and has no input */
  pass({ name, value, names, neutral = [] }: Parameter): void {
    if (value === undefined || value === null || this.put(names, value)) return;
    if (!neutral.includes(value)) throw this.unsupported(name);
  }

  /** Everything that the call's own shape does not know goes to the input of the same name. */
  passRest(body: Readonly<Record<string, unknown>>, known: ReadonlySet<string>): void {
    for (const [name, value] of Object.entries(body)) {
      if (known.has(name)) continue;
      this.pass({ name, value, names: [name] });
    }
  }

  unsupported(parameter: string, what: string = parameter): GatewayError {
    const inputs = Object.keys(this.#properties).join(", ");
    return new GatewayError(
      "unsupported_parameter",
      `${this.entry.id} does not take ${what}; its inputs are ${inputs}.`,
      { parameter },
    );
  }

  /** A value in the form in which the input takes it: lists of one, numbers written as text, JPEG's two names. */
  #fit(name: string, value: unknown): unknown {
    const types = this.typesOf(name);
    if (types.has("array") && !types.has(jsonType(value))) return [value];
    if (Array.isArray(value) && value.length === 1 && types.size > 0 && !types.has("array")) {
      return this.#fit(name, value[0]);
    }
    if (typeof value === "string") {
      const isNumeric = types.has("integer") || types.has("number");
      if (isNumeric && !types.has("string") && /^-?\d+(?:\.\d+)?$/.test(value)) {
        return Number(value);
      }
      return this.#spelled(name, value);
    }
    if (typeof value === "object" && value !== null && types.size === 1 && types.has("string")) {
      return JSON.stringify(value);
    }
    return value;
  }

  /** The spelling of a choice that the model knows. */
  #spelled(name: string, value: string): string {
    const choices = this.choicesOf(name);
    if (choices === undefined || choices.includes(value)) return value;
    const same = otherSpelling[value];
    if (same !== undefined && choices.includes(same)) return same;
    const lower = value.toLowerCase();
    const found = choices.find((choice) => String(choice).toLowerCase() === lower);
    return typeof found === "string" ? found : value;
  }
}

const otherSpelling: Readonly<Record<string, string>> = { jpeg: "jpg", jpg: "jpeg" };

/**
 * Refuses a model that certainly is for something else; of a model without a task its inputs tell.
 * @throws `GatewayError` `invalid_request`
 */
export function assertServes(
  entry: CatalogEntry,
  wanted: {
    readonly format: RequestFormat;
    readonly tasks: readonly Task[];
    /** Such as `an embedding model`. */
    readonly what: string;
  },
): void {
  const { format, tasks, what } = wanted;
  if (entry.task === "other" || tasks.includes(entry.task)) return;
  if (entry.requestFormats.includes(format)) return;
  throw new GatewayError(
    "invalid_request",
    `${entry.id} is not ${what}; its task is ${entry.task}.`,
    {
      parameter: "model",
      hint: `Call it as a prediction: POST /v1/models/${entry.id}/predictions.`,
    },
  );
}

/** The text of a call's parameter. @throws `GatewayError` `invalid_request` */
export function requiredText(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value === "string" && value !== "") return value;
  throw new GatewayError("invalid_request", `${name} is required and must be a text.`, {
    parameter: name,
  });
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value;
}
