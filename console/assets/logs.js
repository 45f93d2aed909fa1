import { ApiError, request, savedKey } from "./api.js";
import { byId, element, fill } from "./dom.js";
import { readEvents } from "./event-stream.js";
import { createKeyDialog } from "./key-dialog.js";
import { createEntryView } from "./logs-entry.js";
import { createLogList } from "./logs-list.js";

const filterNames = ["from", "status", "model", "metadata", "text"];
const pageSize = 50;
/** Between two tries to follow again; a platform that restarts takes a moment. */
const followAgainMs = 2_000;
/** While somebody types. */
const typingMs = 300;

const keyDialog = createKeyDialog({ onChange: () => void load() });
const list = createLogList({ hrefOf: (id) => hashOf({ ...asked(), call: id }) });
/** Of loads, so that a slow answer does not replace a newer one. */
let turn = 0;
let next;
let following;
let typing;
/** The filters that the list on the page was read with. */
let shownFilters;

/** What the address says: `#from=1d&status=failed&call=ID`. */
function asked() {
  const values = new URLSearchParams(location.hash.slice(1));
  const question = { call: values.get("call") ?? "" };
  for (const name of filterNames) question[name] = values.get(name) ?? "";
  if (question.from === "") question.from = "1d";
  return question;
}

function hashOf(question) {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(question)) if (value !== "") values.set(name, value);
  return `#${values.toString()}`;
}

function queryOf(question, more = {}) {
  const values = new URLSearchParams(more);
  for (const name of filterNames) if (question[name] !== "") values.set(name, question[name]);
  return values.toString();
}

async function load() {
  turn += 1;
  const mine = turn;
  following?.abort();
  if (savedKey() === "") {
    say(
      "A key is needed",
      "The log is behind an API key: an admin's shows all calls, another one its own.",
    );
    return;
  }
  const question = asked();
  list.say("Loading…");
  try {
    const page = await read(`/api/v1/logs?${queryOf(question, { limit: pageSize })}`);
    if (mine !== turn) return;
    shownFilters = queryOf(question);
    fill(byId("notice"));
    byId("report").hidden = false;
    showFilters(question);
    list.show(page.logs);
    showMore(page.next);
    void openCall(question.call, { isMoving: false });
    if (byId("follow").checked) void follow(question);
  } catch (error) {
    if (mine !== turn) return;
    const isRefused = error instanceof ApiError && (error.status === 401 || error.status === 403);
    // A filter that means nothing is said beside it; the page stays.
    if (!isRefused && !byId("report").hidden) list.say(error.message);
    else say(isRefused ? "The key was refused" : "The log could not be read", error.message);
  }
}

async function read(path) {
  return (await request(path)).json();
}

/** Puts each call on top as it ends, until there is another question. */
async function follow(question) {
  following?.abort();
  const mine = new AbortController();
  following = mine;
  const { signal } = mine;
  while (!signal.aborted) {
    try {
      const { from: _from, ...rest } = question;
      const query = queryOf({ ...rest, from: "" });
      const response = await request(`/api/v1/logs/tail?${query}`, { signal });
      list.mark("live");
      for await (const { event, data } of readEvents(response)) {
        if (event === "log") list.add(JSON.parse(data));
        if (event === "missed") list.say("Some calls went by too fast; load again to see them.");
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) {
        list.mark("off");
        return;
      }
    }
    list.mark("lost");
    await new Promise((resolve) => setTimeout(resolve, followAgainMs));
  }
}

function showFilters(question) {
  for (const name of filterNames) {
    const field = byId(name);
    if (document.activeElement !== field) field.value = question[name];
  }
}

function showMore(cursor) {
  next = cursor;
  byId("more").hidden = next === undefined;
}

async function loadMore() {
  const mine = turn;
  const cursor = next;
  if (cursor === undefined) return;
  byId("more").disabled = true;
  try {
    const query = queryOf(asked(), { limit: pageSize, cursor });
    const page = await read(`/api/v1/logs?${query}`);
    if (mine !== turn) return;
    list.append(page.logs);
    showMore(page.next);
  } catch (error) {
    list.say(error.message);
  } finally {
    byId("more").disabled = false;
  }
}

async function openCall(id, { isMoving }) {
  const detail = byId("detail");
  list.choose(id);
  document.body.classList.toggle("has-call", id !== "");
  detail.hidden = id === "";
  document.title = id === "" ? "Logs · byom" : `${id} · byom`;
  if (id === "") return;
  const backHref = hashOf({ ...asked(), call: "" });
  fill(detail, element("p", { class: "dim" }, "Loading…"));
  try {
    const entry = await read(`/api/v1/logs/${encodeURIComponent(id)}`);
    if (asked().call !== id) return;
    const view = createEntryView(entry, { backHref });
    fill(detail, view.view);
    if (isMoving) view.heading.focus();
  } catch (error) {
    if (asked().call !== id) return;
    fill(
      detail,
      element("a", { class: "log-back", href: backHref }, "← All calls"),
      element("h1", {}, "The call could not be read"),
      element("p", {}, error.message),
    );
  }
}

function say(title, text) {
  byId("report").hidden = true;
  fill(
    byId("notice"),
    element(
      "div",
      { class: "notice" },
      element("h1", {}, title),
      element("p", {}, text),
      element(
        "button",
        { type: "button", class: "button primary", onclick: () => keyDialog.ask() },
        "Enter a key",
      ),
    ),
  );
}

function filtersChanged() {
  const question = { ...asked(), call: "" };
  for (const name of filterNames) question[name] = byId(name).value.trim();
  location.hash = hashOf(question);
}

byId("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  filtersChanged();
});
byId("filters").addEventListener("input", ({ target }) => {
  if (target.id === "follow") return;
  clearTimeout(typing);
  typing = setTimeout(filtersChanged, target.tagName === "SELECT" ? 0 : typingMs);
});
byId("follow").addEventListener("change", ({ target }) => {
  if (target.checked) void load();
  else {
    following?.abort();
    list.mark("off");
  }
});
byId("more").addEventListener("click", () => void loadMore());
globalThis.addEventListener("hashchange", () => {
  if (shownFilters === queryOf(asked())) void openCall(asked().call, { isMoving: true });
  else void load();
});
void load();
