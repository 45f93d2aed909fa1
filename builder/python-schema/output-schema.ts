import type { Node } from "web-tree-sitter";
import { type JsonSchema, simpleSchemaOf, titleOf, typeOfValues } from "./json-schema.ts";
import type { ProblemList } from "./problems.ts";
import { type PythonType, withoutNone } from "./python-type.ts";
import type { Target } from "./target.ts";

/** The `Output` component, as cog's generator writes it; `type` is undefined for a function without return annotation. */
export function describeOutput(type: PythonType | undefined): JsonSchema {
  if (type === undefined) return { title: "Output" };
  const inner = withoutNone(type);
  return {
    ...outputTypeSchema(inner.type),
    ...(inner.isNullable ? { nullable: true } : {}),
    title: "Output",
  };
}

/** Says what is wrong with an output's annotation. */
export function reportOutput({
  type,
  node,
  target,
  problems,
}: {
  readonly type: PythonType | undefined;
  readonly node: Node;
  readonly target: Target;
  readonly problems: ProblemList;
}): void {
  const add = (severity: "error" | "warning", message: string, hint: string): void => {
    problems.add({ severity, module: target.module, node, message, hint });
  };
  if (type === undefined) {
    const message = `missing return type annotation on ${target.name}`;
    add("warning", message, `write def ${target.name}(…) -> str: or what it returns`);
    return;
  }
  const inner = withoutNone(type);
  if (inner.isNullable) {
    add(
      "warning",
      "Optional is not allowed as a return type by cog; the output is described as nullable",
      "return an empty value instead of None to stay compatible",
    );
  } else if (inner.type.kind === "union") {
    add(
      "warning",
      "union types are not supported as output by cog; the output is described as any of them",
      "return one type, or a cog.BaseModel",
    );
  }
  for (const part of partsOf(inner.type)) {
    if (part.kind !== "unknown") continue;
    if (part.isAskable === true)
      problems.ask({ module: target.module, node, what: "the output", reason: part.message });
    else add("error", part.message, part.hint);
  }
}

/** JSON Schema of an output's type. */
export function outputTypeSchema(type: PythonType): JsonSchema {
  switch (type.kind) {
    case "list":
      return { items: outputTypeSchema(type.item), type: "array" };
    case "dict":
      return type.value === undefined
        ? { type: "object" }
        : { additionalProperties: outputTypeSchema(type.value), type: "object" };
    case "iterator":
      return {
        items: outputTypeSchema(type.item),
        type: "array",
        ...(type.isConcatenated ? { "x-cog-array-display": "concatenate" } : {}),
        "x-cog-array-type": "iterator",
      };
    case "choice":
      return { enum: type.values, type: typeOfValues(type.values) };
    case "union": {
      const inner = withoutNone(type);
      const schema: JsonSchema =
        inner.type.kind === "union"
          ? { anyOf: inner.type.variants.map(outputTypeSchema) }
          : outputTypeSchema(inner.type);
      return inner.isNullable ? { ...schema, nullable: true } : schema;
    }
    case "object":
      return objectSchema(type);
    case "unknown":
      return {};
    default:
      return simpleSchemaOf(type.kind);
  }
}

function objectSchema(type: Extract<PythonType, { kind: "object" }>): JsonSchema {
  const required = type.fields.filter((field) => field.isRequired).map((field) => field.name);
  return {
    properties: Object.fromEntries(
      type.fields.map((field) => [
        field.name,
        { ...outputTypeSchema(field.type), title: titleOf(field.name) },
      ]),
    ),
    ...(required.length > 0 ? { required } : {}),
    type: "object",
  };
}

function partsOf(type: PythonType): PythonType[] {
  switch (type.kind) {
    case "list":
    case "iterator":
      return partsOf(type.item);
    case "dict":
      return type.value === undefined ? [] : partsOf(type.value);
    case "union":
      return type.variants.flatMap(partsOf);
    case "object":
      return type.fields.flatMap((field) => partsOf(field.type));
    default:
      return [type];
  }
}
