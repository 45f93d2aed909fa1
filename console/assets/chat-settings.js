import { element } from "./dom.js";
import { FieldError } from "./form-fields.js";

/** The settings of a chat: system prompt and numbers. */
export function createSettings(onChange) {
  const system = element("textarea", { rows: 2, oninput: onChange });
  const numbers = [
    ["max_tokens", "Most tokens"],
    ["temperature", "Temperature"],
  ].map(([name, label]) => ({
    name,
    label,
    control: element("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      oninput: onChange,
    }),
  }));
  const read = () => {
    const values = {};
    for (const { name, label, control } of numbers) {
      const written = control.value.trim();
      if (written === "") continue;
      const value = Number(written);
      if (!Number.isFinite(value)) throw new FieldError(`${label} must be a number.`);
      values[name] = value;
    }
    return values;
  };
  const field = (label, control) =>
    element("label", { class: "field" }, element("span", { class: "label" }, label), control);
  return {
    view: element(
      "details",
      { class: "more" },
      element("summary", {}, "Settings"),
      element(
        "div",
        { class: "stack" },
        field("System prompt", system),
        element(
          "div",
          { class: "columns" },
          numbers.map(({ label, control }) => field(label, control)),
        ),
      ),
    ),
    system: () => system.value.trim(),
    numbers: read,
    peek: () => {
      try {
        return read();
      } catch {
        return {};
      }
    },
  };
}
