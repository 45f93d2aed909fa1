import { type JsonSchema, simpleSchemaOf, titleOf, typeOfValues } from "./json-schema.ts";
import type { InputDescription, InputField } from "./parameter.ts";
import type { ProblemList } from "./problems.ts";
import { type PythonType, withoutNone } from "./python-type.ts";
import type { Target } from "./target.ts";
import type { JsonValue } from "./value.ts";

/** The `Input` component and the enumerations that its choices refer to. */
export interface InputSchema {
  readonly schema: JsonSchema;
  /** Components by name. */
  readonly enumerations: ReadonlyMap<string, JsonSchema>;
}

/** Describes the inputs as cog's generator does, so that coglet and every client of cog read them. */
export function describeInputs({
  fields,
  title,
  isNameTaken,
}: {
  readonly fields: readonly InputDescription[];
  readonly title: string;
  /** Names of components that an enumeration must not take. */
  readonly isNameTaken: (name: string) => boolean;
}): InputSchema {
  const enumerations = new Map<string, JsonSchema>();
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const [order, field] of fields.entries()) {
    const choices = choicesOf(field);
    let reference: string | undefined;
    if (choices !== undefined) {
      reference = isNameTaken(field.name) ? `${field.name}_choices` : field.name;
      enumerations.set(reference, describeChoices({ name: reference, field, choices }));
    }
    properties[field.name] = describeProperty({ field, order, reference });
    if (isRequired(field)) required.push(field.name);
  }
  const schema = {
    properties,
    ...(required.length > 0 ? { required } : {}),
    title,
    type: "object",
  };
  return { schema, enumerations };
}

/** JSON Schema of an input's type. */
export function inputTypeSchema(type: PythonType, isNullable = false): JsonSchema {
  const nullable = isNullable ? { nullable: true } : {};
  switch (type.kind) {
    case "list":
      return { items: inputTypeSchema(type.item), ...nullable, type: "array" };
    case "union": {
      const inner = withoutNone(type);
      if (inner.type.kind !== "union") return inputTypeSchema(inner.type, true);
      const isAnyNull = isNullable || inner.isNullable;
      const anyOf = inner.type.variants.map((variant) => inputTypeSchema(variant, isAnyNull));
      return { anyOf, ...(isAnyNull ? { nullable: true } : {}) };
    }
    case "choice":
      return { enum: type.values, ...nullable, type: typeOfValues(type.values) };
    default:
      return { ...simpleSchemaOf(type.kind), ...nullable };
  }
}

function isRequired(field: InputDescription): boolean {
  if (field.default.kind === "computed") return false;
  if (field.default.kind === "value" && field.default.value !== null) return false;
  const { type, isNullable } = withoutNone(field.type);
  if (field.default.kind === "none") return !isNullable || type.kind === "union";
  // None as default of a type that has no None: cog asks the caller for a value, except for a Secret.
  return !isNullable && type.kind !== "secret";
}

function choicesOf(field: InputDescription): readonly JsonValue[] | undefined {
  if (field.choices !== undefined) return field.choices;
  const { type } = withoutNone(field.type);
  if (type.kind === "choice") return type.values;
  return undefined;
}

function describeChoices({
  name,
  field,
  choices,
}: {
  readonly name: string;
  readonly field: InputDescription;
  readonly choices: readonly JsonValue[];
}): JsonSchema {
  const { type } = withoutNone(field.type);
  const item = type.kind === "list" ? type.item : type;
  const declared = simpleSchemaOf(item.kind).type;
  return {
    description: "An enumeration.",
    enum: choices,
    title: name,
    type: declared === "object" ? typeOfValues(choices) : declared,
  };
}

function describeProperty({
  field,
  order,
  reference,
}: {
  readonly field: InputDescription;
  readonly order: number;
  readonly reference: string | undefined;
}): JsonSchema {
  const { type, isNullable } = withoutNone(field.type);
  const isNone = field.default.kind === "value" && field.default.value === null;
  const isOptional = isNullable || (type.kind === "secret" && isNone);
  // Null is what coglet passes for an optional input without default: never in place of a default that Python knows.
  const takesNull = isOptional && field.default.kind !== "computed";
  const property: Record<string, unknown> = {
    ...describeType({ field, type, reference }),
    "x-order": order,
    ...(takesNull ? { nullable: true } : {}),
    ...(field.default.kind === "value" && (!isNone || isOptional)
      ? { default: field.default.value }
      : {}),
    ...(field.description === undefined ? {} : { description: field.description }),
    ...(field.minimum === undefined ? {} : { minimum: field.minimum }),
    ...(field.maximum === undefined ? {} : { maximum: field.maximum }),
    ...(field.minLength === undefined ? {} : { minLength: field.minLength }),
    ...(field.maxLength === undefined ? {} : { maxLength: field.maxLength }),
    ...(field.pattern === undefined ? {} : { pattern: field.pattern }),
    ...(field.isDeprecated === true ? { deprecated: true } : {}),
    ...(field.accept === undefined ? {} : { "x-cog-accept": field.accept }),
  };
  return property;
}

function describeType({
  field,
  type,
  reference,
}: {
  readonly field: InputDescription;
  readonly type: PythonType;
  readonly reference: string | undefined;
}): JsonSchema {
  if (reference === undefined) {
    const isUnionNull = field.type.kind === "union" && type.kind === "union";
    const schema = inputTypeSchema(isUnionNull ? field.type : type);
    return { ...schema, title: titleOf(field.name) };
  }
  const allOf = [{ $ref: `#/components/schemas/${reference}` }];
  return type.kind === "list"
    ? { items: { allOf }, title: titleOf(field.name), type: "array" }
    : { allOf };
}

/** Says what is wrong with an input, or will surprise its author. */
export function reportInput({
  field,
  target,
  problems,
}: {
  readonly field: InputField;
  readonly target: Target;
  readonly problems: ProblemList;
}): void {
  const add = (severity: "error" | "warning", message: string, hint: string): void => {
    problems.add({ severity, module: target.module, node: field.node, message, hint });
  };
  const { type, isNullable } = withoutNone(field.type);
  const parts = partsOf(type);
  for (const part of parts) {
    if (part.kind === "unknown") {
      const what = `parameter '${field.name}'`;
      if (part.isAskable === true) {
        const { module } = target;
        problems.ask({ module, node: field.node, what, reason: part.message });
      } else add("error", `${what}: ${part.message}`, part.hint);
    }
    if (part.kind === "iterator" || part.kind === "none") {
      add(
        "error",
        `parameter '${field.name}': unsupported type for an input`,
        "use list[…] or Optional[…]",
      );
    }
    if (part.kind === "path" && part.isPlain === true) {
      add(
        "warning",
        `parameter '${field.name}': pathlib's Path is not downloaded, it arrives as a string`,
        "write `from cog import Path`",
      );
    }
    if (part.kind === "choice" && part.isEnum) {
      add(
        "warning",
        `parameter '${field.name}': an Enum input arrives as its plain value`,
        "derive the Enum from str, or use Literal[…] or Input(choices=[…])",
      );
    }
  }
  if (
    field.accept !== undefined &&
    !parts.some((part) => part.kind === "path" || part.kind === "file")
  ) {
    add(
      "error",
      `accept is only valid on Path or File inputs (parameter '${field.name}')`,
      "remove accept=…",
    );
  }
  if (type.kind === "union" && hasConstraint(field)) {
    add(
      "error",
      `parameter '${field.name}': constraints and choices are not supported on union inputs`,
      "use one type",
    );
  }
  const isNone = field.default.kind === "value" && field.default.value === null;
  if (isNone && !isNullable && type.kind !== "secret" && type.kind !== "unknown") {
    add(
      "warning",
      `parameter '${field.name}': default None on a type without None makes the input required`,
      `write ${field.name}: Optional[…] = … to make it optional`,
    );
  }
}

function hasConstraint(field: InputDescription): boolean {
  const { choices, minimum, maximum, minLength, maxLength, pattern } = field;
  return [choices, minimum, maximum, minLength, maxLength, pattern].some(
    (value) => value !== undefined,
  );
}

function partsOf(type: PythonType): PythonType[] {
  if (type.kind === "list") return [type, ...partsOf(type.item)];
  if (type.kind === "union") return type.variants.flatMap(partsOf);
  return [type];
}
