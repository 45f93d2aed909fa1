import { ApiError, checkKey, getModel, listModels, savedKey, saveKey } from "./api.js";
import { byId, element, fill } from "./dom.js";
import { createList } from "./list.js";
import { createModelView } from "./model.js";

const detail = byId("detail");
const dialog = byId("key-dialog");
const keyInput = byId("key-input");
const list = createList({ hrefOf: (id) => `#/${id.split("/").map(encodeURIComponent).join("/")}` });
let models = [];
let open;

/** The model that the address names. */
function chosenId() {
  return location.hash.replace(/^#\/?/, "").split("/").map(decode).join("/");
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

async function load() {
  showKeyButton();
  if (savedKey() === "") {
    models = [];
    list.say("");
    notice(
      "A key is needed",
      "The models are behind an API key. Paste one to see and try them.",
      true,
    );
    return;
  }
  list.say("Loading…");
  try {
    models = await listModels();
    list.show(models);
    route({ isMoving: false });
  } catch (error) {
    models = [];
    list.say("");
    const isRefused = error instanceof ApiError && (error.status === 401 || error.status === 403);
    notice(
      isRefused ? "The key was refused" : "The models could not be read",
      error.message,
      isRefused,
    );
  }
}

function route({ isMoving = true } = {}) {
  if (models.length === 0) return;
  const id = chosenId();
  open?.close();
  open = undefined;
  list.mark(id);
  document.body.classList.toggle("has-model", id !== "");
  if (id === "") {
    document.title = "Models · byom";
    notice("Choose a model", "Pick one from the list to read what it does and try it.", false);
    return;
  }
  if (!models.some((one) => one.id === id)) {
    notice(
      "There is no such model",
      `${id} is not among the models that this key may call.`,
      false,
    );
    return;
  }
  void openModel(id, { isMoving });
}

async function openModel(id, { isMoving }) {
  document.title = `${id} · byom`;
  fill(detail, element("p", { class: "dim" }, "Loading…"));
  let model;
  try {
    model = await getModel(id);
  } catch (error) {
    if (chosenId() === id) notice("The model could not be read", error.message, false);
    return;
  }
  // Somebody who clicks on has another model open by now.
  if (chosenId() !== id) return;
  open?.close();
  open = createModelView(model);
  fill(detail, open.view);
  if (isMoving) {
    open.heading.focus();
    globalThis.scrollTo({ top: 0 });
  }
}

function notice(title, text, isAboutKey) {
  fill(
    detail,
    element(
      "div",
      { class: "notice" },
      document.body.classList.contains("has-model") &&
        element("a", { class: "back", href: "#/" }, "← All models"),
      element("h1", {}, title),
      element("p", {}, text),
      isAboutKey &&
        element(
          "button",
          { type: "button", class: "button primary", onclick: askForKey },
          "Enter a key",
        ),
    ),
  );
}

function askForKey() {
  fill(byId("key-error"));
  keyInput.value = "";
  byId("key-forget").hidden = savedKey() === "";
  dialog.showModal();
  keyInput.focus();
}

function showKeyButton() {
  const key = savedKey();
  byId("key-button").textContent = key === "" ? "Enter a key" : `Key …${key.slice(-4)}`;
}

byId("key-button").addEventListener("click", askForKey);
byId("key-cancel").addEventListener("click", () => dialog.close());
byId("key-forget").addEventListener("click", () => {
  saveKey("");
  dialog.close();
  open?.close();
  open = undefined;
  void load();
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void useKey(keyInput.value.trim());
});

async function useKey(key) {
  try {
    await checkKey(key);
  } catch (error) {
    fill(byId("key-error"), error.message);
    keyInput.focus();
    return;
  }
  saveKey(key);
  dialog.close();
  await load();
}

globalThis.addEventListener("hashchange", () => route());
void load();
