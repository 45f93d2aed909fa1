import type { JsonValue } from "./value.ts";

/** What an annotation says, independent of where it stands. */
export type PythonType =
  | { readonly kind: "bool" | "float" | "int" | "str" | "file" | "secret" | "any" | "none" }
  /** `isPlain` for pathlib's: the server downloads only into cog's Path. */
  | { readonly kind: "path"; readonly isPlain?: boolean }
  | { readonly kind: "list"; readonly item: PythonType }
  | { readonly kind: "dict"; readonly value?: PythonType }
  /** Two or more, None among them as kind `none`. */
  | { readonly kind: "union"; readonly variants: readonly PythonType[] }
  /** `Literal[…]` or an Enum class. */
  | { readonly kind: "choice"; readonly values: readonly JsonValue[]; readonly isEnum: boolean }
  /** A BaseModel, TypedDict, dataclass or NamedTuple. */
  | {
      readonly kind: "object";
      readonly name: string;
      readonly fields: readonly PythonField[];
      readonly isTypedDict: boolean;
    }
  | { readonly kind: "iterator"; readonly item: PythonType; readonly isConcatenated: boolean }
  /** Cog's clients cannot be told what it is; `message` says why, `hint` what to write instead. */
  | {
      readonly kind: "unknown";
      readonly message: string;
      readonly hint: string;
      /** A class of an installed package: the built image, which has that package, can say what it is. */
      readonly isAskable?: boolean | undefined;
    };

export interface PythonField {
  readonly name: string;
  readonly type: PythonType;
  readonly isRequired: boolean;
}

/** `X | None` taken apart: the type without None, and whether None was there. */
export function withoutNone(type: PythonType): {
  readonly type: PythonType;
  readonly isNullable: boolean;
} {
  if (type.kind !== "union") return { type, isNullable: false };
  const variants = type.variants.filter((variant) => variant.kind !== "none");
  const isNullable = variants.length < type.variants.length;
  const [only] = variants;
  if (variants.length === 1 && only !== undefined) return { type: only, isNullable };
  return { type: { kind: "union", variants }, isNullable };
}

/** A union without unions inside. */
export function unionOf(types: readonly PythonType[]): PythonType {
  const variants = types.flatMap((type) => (type.kind === "union" ? type.variants : [type]));
  const [only] = variants;
  return variants.length === 1 && only !== undefined ? only : { kind: "union", variants };
}
