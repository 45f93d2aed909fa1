/**
 * Makes an element. Strings become text nodes, never markup: whatever a model's author wrote is shown, not run.
 * Functions under `on…` listen; `true` sets an attribute, `false`, `null` and `undefined` leave it out.
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

/** Puts these children in the place of all that a node has. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Number.POSITIVE_INFINITY)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(typeof child === "number" ? String(child) : child);
  }
}

export function byId(id) {
  const node = document.querySelector(`#${id}`);
  if (node === null) throw new Error(`the page has no #${id}`);
  return node;
}

let lastId = 0;
/** An id that no other element has, to tie a label or a message to its field. */
export function freshId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/** A button that puts a text into the clipboard and says so. */
export function copyButton(text) {
  const button = element("button", { type: "button", class: "button quiet small" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

/**
 * A row of tabs over one panel (WAI-ARIA's pattern: arrow keys move, the chosen one is in the tab order).
 * `tabs`: `{name, render}`; `render` gives the panel's content.
 */
export function tabs({ label, items, chosen = 0, onChoose }) {
  const panelId = freshId("panel");
  const panel = element("div", { id: panelId, role: "tabpanel", class: "panel" });
  const buttons = items.map((item, index) =>
    element(
      "button",
      {
        type: "button",
        role: "tab",
        class: "tab",
        id: freshId("tab"),
        "aria-controls": panelId,
        onclick: () => choose(index),
        onkeydown: (event) => move(event, index),
      },
      item.name,
    ),
  );
  function choose(index) {
    buttons.forEach((button, at) => {
      button.setAttribute("aria-selected", String(at === index));
      button.tabIndex = at === index ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[index].id);
    fill(panel, items[index].render());
    onChoose?.(index);
  }
  function move(event, index) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = (index + step + items.length) % items.length;
    choose(next);
    buttons[next].focus();
  }
  choose(chosen);
  const list = element("div", { role: "tablist", class: "tabs", "aria-label": label }, buttons);
  return element("div", {}, items.length > 1 && list, panel);
}
