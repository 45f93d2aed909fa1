import { element } from "./dom.js";

/** A data URI grows by a third; the platform takes bodies of up to 100 MiB. */
const fileBytesMax = 70 * 1024 * 1024;

/** What a field says when its text is no value of its type. */
export class FieldError extends Error {
  name = "FieldError";
}

/**
 * The control of one input: `{control, read(), write(value)}`. `read` gives the value or a promise of it, undefined when
 * the field is left out; it throws FieldError.
 */
export function createField(input) {
  const { schema } = input;
  if (Array.isArray(schema.enum)) return choiceField(input, schema.enum);
  if (schema.type === "boolean") return booleanField(input);
  if (schema.type === "integer" || schema.type === "number") return numberField(input);
  if (schema.type === "string")
    return schema.format === "uri" ? fileField(input) : textField(input);
  if (schema.type === "array") {
    if (input.items.format === "uri") return filesField(input);
    if (["string", "integer", "number"].includes(input.items.type)) return linesField(input);
  }
  return jsonField(input);
}

function textField({ name, schema }) {
  const isSecret = schema.format === "password" || schema["x-cog-secret"] === true;
  const isLong = /prompt|text|message|content|instruction|input|query|caption/i.test(name);
  const common = {
    spellcheck: false,
    autocomplete: "off",
    placeholder: typeof schema.default === "string" ? schema.default : undefined,
  };
  const control =
    isLong && !isSecret
      ? element("textarea", { ...common, rows: /system|negative/.test(name) ? 2 : 3 })
      : element("input", { ...common, type: isSecret ? "password" : "text" });
  return {
    control,
    read: () => (control.value === "" ? undefined : control.value),
    write: (value) => (control.value = String(value)),
  };
}

function numberField({ schema }) {
  const isInteger = schema.type === "integer";
  const control = element("input", {
    type: "text",
    inputmode: isInteger ? "numeric" : "decimal",
    autocomplete: "off",
    placeholder: schema.default === undefined ? undefined : String(schema.default),
  });
  return {
    control,
    read: () => {
      const text = control.value.trim();
      if (text === "") return undefined;
      const value = Number(text);
      if (!Number.isFinite(value)) throw new FieldError("must be a number");
      return value;
    },
    write: (value) => (control.value = String(value)),
  };
}

function booleanField({ schema }) {
  if (typeof schema.default !== "boolean") {
    return choiceField({ schema }, [true, false]);
  }
  const control = element("input", { type: "checkbox" });
  control.checked = schema.default;
  return {
    control,
    isInline: true,
    read: () => (control.checked === schema.default ? undefined : control.checked),
    write: (value) => (control.checked = value === true),
  };
}

function choiceField({ schema, isRequired }, choices) {
  const usual =
    schema.default === undefined ? "not set" : `default: ${JSON.stringify(schema.default)}`;
  const control = element(
    "select",
    {},
    element("option", { value: "" }, isRequired === true ? "choose…" : usual),
    choices.map((choice, index) => element("option", { value: String(index) }, String(choice))),
  );
  return {
    control,
    read: () => (control.value === "" ? undefined : choices[Number(control.value)]),
    write: (value) => {
      const index = choices.indexOf(value);
      control.value = index === -1 ? "" : String(index);
    },
  };
}

/** A file of this machine, or an address where the platform finds it. */
function fileField({ name }) {
  const file = element("input", { type: "file", "aria-label": `${name}: a file` });
  const address = addressInput(`${name}: an address`);
  return {
    control: file,
    more: element("div", { class: "file-field" }, file, address),
    read: async () => {
      const [chosen] = file.files;
      if (chosen !== undefined) return readDataUri(chosen);
      return address.value.trim() === "" ? undefined : address.value.trim();
    },
    write: (value) => (address.value = String(value)),
  };
}

function filesField({ name }) {
  const files = element("input", { type: "file", multiple: true, "aria-label": `${name}: files` });
  const addresses = element("textarea", {
    rows: 2,
    placeholder: "or addresses, one a line",
    "aria-label": `${name}: addresses`,
  });
  return {
    control: files,
    more: element("div", { class: "file-field" }, files, addresses),
    read: async () => {
      const read = await Promise.all([...files.files].map(readDataUri));
      const all = [...read, ...linesOf(addresses.value)];
      return all.length === 0 ? undefined : all;
    },
    write: (value) => (addresses.value = Array.isArray(value) ? value.join("\n") : ""),
  };
}

function addressInput(label) {
  return element("input", {
    type: "text",
    inputmode: "url",
    placeholder: "or an address: https://…",
    autocomplete: "off",
    "aria-label": label,
  });
}

function readDataUri(file) {
  if (file.size > fileBytesMax) {
    throw new FieldError(`${file.name} is larger than ${fileBytesMax / 1024 / 1024} MiB`);
  }
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(new FieldError(`${file.name} cannot be read`)));
    reader.readAsDataURL(file);
  });
}

/** A list of texts or numbers: one a line. */
function linesField({ items }) {
  const control = element("textarea", { rows: 3, placeholder: "one a line", spellcheck: false });
  const isNumber = items.type !== "string";
  return {
    control,
    read: () => {
      const lines = linesOf(control.value);
      if (lines.length === 0) return undefined;
      if (!isNumber) return lines;
      const numbers = lines.map(Number);
      if (!numbers.every(Number.isFinite)) throw new FieldError("must be numbers, one a line");
      return numbers;
    },
    write: (value) => (control.value = Array.isArray(value) ? value.join("\n") : String(value)),
  };
}

function linesOf(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

/** Whatever has no control of its own: an object, a list of objects, a union, anything. */
function jsonField({ schema }) {
  const sample =
    schema.type === "array" ? "[…]" : schema.type === "object" ? "{…}" : "a JSON value";
  const control = element("textarea", {
    rows: 4,
    class: "code",
    spellcheck: false,
    placeholder: schema.default === undefined ? sample : JSON.stringify(schema.default),
  });
  return {
    control,
    read: () => {
      const text = control.value.trim();
      if (text === "") return undefined;
      try {
        return JSON.parse(text);
      } catch (error) {
        // A union with text takes what is no JSON as the text that it is.
        if (schema.union?.some(({ type }) => type === "string")) return text;
        throw new FieldError(`is not JSON: ${error.message}`);
      }
    },
    write: (value) => (control.value = JSON.stringify(value, undefined, 2)),
  };
}
