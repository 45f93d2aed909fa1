import { checkKey, savedKey, saveKey } from "./api.js";
import { byId, fill } from "./dom.js";

/** The dialog in which a key is entered, and its button; `onChange` is called when there is another key, or none. */
export function createKeyDialog({ onChange }) {
  const dialog = byId("key-dialog");
  const input = byId("key-input");

  function show() {
    const key = savedKey();
    byId("key-button").textContent = key === "" ? "Enter a key" : `Key …${key.slice(-4)}`;
  }

  function ask() {
    fill(byId("key-error"));
    input.value = "";
    byId("key-forget").hidden = savedKey() === "";
    dialog.showModal();
    input.focus();
  }

  function take(key) {
    saveKey(key);
    dialog.close();
    show();
    onChange();
  }

  async function use(key) {
    try {
      await checkKey(key);
    } catch (error) {
      fill(byId("key-error"), error.message);
      input.focus();
      return;
    }
    take(key);
  }

  byId("key-button").addEventListener("click", ask);
  byId("key-cancel").addEventListener("click", () => dialog.close());
  byId("key-forget").addEventListener("click", () => take(""));
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void use(input.value.trim());
  });
  show();
  return { ask };
}
