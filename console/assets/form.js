import { element, fill, freshId } from "./dom.js";
import { createField, FieldError } from "./form-fields.js";
import { inputsOf, isObject } from "./schema.js";

/** Inputs that are shown at once; the rest is behind "More inputs". */
const shownMax = 8;

/**
 * A form made from a model's input schema, with a button for its example. `read()` resolves with the input, or undefined when a field is wrong (it is
 * marked); `mark(fields)` shows what the platform said about inputs and gives back what belongs to no field.
 */
export function createForm({ schema, example, onSubmit, onChange, label }) {
  const rows = inputsOf(schema).map((input) => createRow(input));
  const needed = rows.filter(({ input }) => input.isRequired);
  const others = rows.filter(({ input }) => !input.isRequired);
  const shown = [...needed, ...others.slice(0, Math.max(0, shownMax - needed.length))];
  const hidden = rows.filter((row) => !shown.includes(row));
  const more = element(
    "details",
    { class: "more" },
    element("summary", {}, `More inputs (${hidden.length})`),
    hidden.map(({ view }) => view),
  );
  const isFillable = isObject(example) && Object.keys(example).length > 0;
  const fillIn = () => {
    for (const { input, field } of rows) {
      if (Object.hasOwn(example, input.name)) field.write(example[input.name]);
    }
    onChange?.();
  };
  const submit = element("button", { type: "submit", class: "button primary" }, label);
  const form = element(
    "form",
    {
      class: "stack",
      novalidate: true,
      oninput: () => onChange?.(),
      onchange: () => onChange?.(),
      onsubmit: (event) => {
        event.preventDefault();
        onSubmit();
      },
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
      },
    },
    rows.length === 0 && element("p", { class: "dim" }, "This model takes no input."),
    shown.map(({ view }) => view),
    hidden.length > 0 && more,
    element(
      "div",
      { class: "row" },
      submit,
      isFillable &&
        element(
          "button",
          { type: "button", class: "button quiet", onclick: fillIn },
          "Fill in the example",
        ),
    ),
  );

  return {
    form,
    submit,
    read: () => collect(rows, { isMarking: true }),
    /** What is filled in so far, for code samples. */
    peek: async () => (await collect(rows, { isMarking: false })) ?? {},
    mark(problems) {
      const { first, rest } = markRows(rows, problems);
      if (hidden.includes(first)) more.open = true;
      first?.focus();
      return rest;
    },
  };
}

/** The values of all fields that have one; undefined when one cannot be read. */
async function collect(rows, { isMarking }) {
  const values = {};
  let first;
  for (const row of rows) {
    if (isMarking) row.say("");
    try {
      const value = await row.field.read();
      if (value !== undefined) values[row.input.name] = value;
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      if (isMarking) row.say(error.message);
      first ??= row;
    }
  }
  if (isMarking) first?.focus();
  return first === undefined ? values : undefined;
}

/** Shows each problem at its field: the first such field, and what belongs to none. */
function markRows(rows, problems) {
  const rest = [];
  let first;
  for (const { name, message } of problems) {
    const row = rows.find(({ input }) => name === input.name || name.startsWith(`${input.name}.`));
    if (row === undefined) {
      rest.push(message);
      continue;
    }
    const prefix = `${row.input.name} `;
    row.say(message.startsWith(prefix) ? message.slice(prefix.length) : message);
    first ??= row;
  }
  return { first, rest };
}

function createRow(input) {
  const { name, schema, isRequired } = input;
  const field = createField(input);
  const { control } = field;
  const [id, noteId, problemId] = [freshId("input"), freshId("note"), freshId("problem")];
  control.id = id;
  control.name = name;
  if (isRequired) control.setAttribute("aria-required", "true");
  control.setAttribute("aria-describedby", `${noteId} ${problemId}`);
  const problem = element("p", { id: problemId, class: "error-text" });
  const label = element(
    "label",
    { class: "label", for: id },
    name,
    isRequired && element("span", { class: "required" }, " required"),
    element("span", { class: "type" }, ` ${typeText(input)}`),
  );
  const note = element("p", { id: noteId, class: "field-note" }, noteText(schema));
  const body = field.more ?? control;
  const view = element(
    "div",
    { class: field.isInline ? "field inline" : "field" },
    field.isInline ? [body, label] : [label, body],
    note,
    problem,
  );
  return {
    input,
    field,
    view,
    say(message) {
      fill(problem, message);
      if (message === "") control.removeAttribute("aria-invalid");
      else control.setAttribute("aria-invalid", "true");
    },
    focus: () => control.focus(),
  };
}

function typeText({ schema, items }) {
  if (Array.isArray(schema.enum)) return "choice";
  if (schema.format === "uri") return "file";
  if (schema.type === "array")
    return items.format === "uri" ? "files" : `list of ${items.type ?? "values"}`;
  return typeof schema.type === "string" ? schema.type : "any";
}

function noteText(schema) {
  const bounds = [
    typeof schema.minimum === "number" && `at least ${schema.minimum}`,
    typeof schema.maximum === "number" && `at most ${schema.maximum}`,
    typeof schema.maxLength === "number" && `up to ${schema.maxLength} characters`,
  ].filter(Boolean);
  const description = typeof schema.description === "string" ? schema.description : "";
  return [description, bounds.join(", ")].filter(Boolean).join(" · ");
}
