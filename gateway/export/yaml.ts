/** Scalars that a YAML 1.1 or 1.2 reader takes for nothing but this text; everything else is quoted. */
const plainPattern = /^[A-Za-z_/][A-Za-z0-9_./@-]*$/;
const wordsOfOtherTypes = /^(?:y|yes|n|no|true|false|on|off|null)$/i;

/**
 * A value of maps, lists and scalars as YAML in block style. Strings that are not plain words are in quotes; JSON's are
 * YAML's double quotes too (https://yaml.org/spec/1.2.2/#example-double-quoted-scalars).
 */
export function renderYaml(value: unknown): string {
  return `${lines(value, 0).join("\n")}\n`;
}

/** Several documents in one stream. */
export function renderYamlDocuments(values: readonly unknown[]): string {
  return values.map(renderYaml).join("---\n");
}

function lines(value: unknown, depth: number): string[] {
  const indent = "  ".repeat(depth);
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((item) => {
      const [first = "", ...rest] = lines(item, depth + 1);
      return [`${indent}- ${first.trimStart()}`, ...rest];
    });
  }
  if (isMap(value) && Object.keys(value).length > 0) {
    return Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .flatMap(([key, item]) => {
        const name = `${indent}${scalar(key)}:`;
        if (!isNested(item)) return [`${name} ${scalar(item)}`];
        return [name, ...lines(item, depth + 1)];
      });
  }
  return [`${indent}${scalar(value)}`];
}

function scalar(value: unknown): string {
  // A YAML 1.1 reader, such as Python's, takes `6e-7` for a text and `6.0e-7` for the number.
  if (typeof value === "number") return String(value).replace(/^(-?\d+)e/, "$1.0e");
  if (typeof value !== "string") return JSON.stringify(value);
  if (plainPattern.test(value) && !wordsOfOtherTypes.test(value)) return value;
  // Templates over the file, such as decK's, would trip over backslashes before quotes.
  const isSingleLine = /^[\x20-\x7e]*$/.test(value);
  if (isSingleLine && /["\\]/.test(value)) return `'${value.replaceAll("'", "''")}'`;
  return JSON.stringify(value);
}

function isNested(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : isMap(value) && Object.keys(value).length > 0;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
