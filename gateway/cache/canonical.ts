/** A number as it was written: large seeds must not become equal by being read as doubles. */
class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** V8's third argument of a reviver (ECMAScript proposal "JSON.parse source text access"), which TypeScript lacks. */
type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const keepNumbers: Reviver = (_key, value, context) =>
  typeof value === "number" ? new NumberText(context?.source ?? String(value)) : value;

/** A JSON text without white space, its keys in order; undefined for what is no JSON, or is too deep to be walked. */
export function canonicalBody(body: Buffer): string | undefined {
  try {
    return canonicalJson(
      JSON.parse(body.toString("utf8"), keepNumbers as (key: string) => unknown),
    );
  } catch {
    return undefined;
  }
}

/** The value as JSON with its keys in order. @throws `RangeError` for one that is too deep */
export function canonicalJson(value: unknown): string {
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) {
    return `[${value.map((item: unknown) => canonicalJson(item ?? null)).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`);
    return `{${fields.join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}
