import { byId, element, fill } from "./dom.js";
import { formatMs } from "./timing.js";

/** More rows than anybody reads make a page slow; the older ones leave at the bottom. */
const rowsMax = 500;

const liveWords = {
  live: "new calls appear as they end",
  lost: "the platform does not answer; trying again",
  off: "not following",
};

/** `$0.0012`, without the zeros that say nothing. */
export function formatCost(costUsd) {
  const amount = Number(costUsd ?? 0);
  if (amount === 0) return "$0";
  return amount < 0.01 ? `$${amount.toPrecision(2)}` : `$${amount.toFixed(amount < 1 ? 4 : 2)}`;
}

export function outcomeOf({ status, isCached, statusCode, code }) {
  if (status === "succeeded") return isCached ? "cached" : "succeeded";
  return code === undefined ? `${status} ${statusCode ?? ""}`.trim() : `${status}: ${code}`;
}

export function tokensOf({ tokensIn, tokensOut, isEstimated }) {
  if (tokensIn === undefined && tokensOut === undefined) return "";
  return `${isEstimated ? "≈ " : ""}${tokensIn ?? 0} → ${tokensOut ?? 0}`;
}

/** The table of calls, newest first. */
export function createLogList({ hrefOf }) {
  const body = byId("rows");
  let chosen = "";
  let live = "off";

  const row = (entry) => rowOf(entry, { href: hrefOf(entry.id), isChosen: entry.id === chosen });

  function count() {
    const rows = body.childElementCount;
    const calls = rows === 0 ? "No call" : rows === 1 ? "1 call" : `${rows} calls`;
    fill(byId("count"), `${calls} · ${liveWords[live]}`);
  }

  return {
    show(entries) {
      fill(body, entries.map(row));
      count();
    },
    append(entries) {
      body.append(...entries.map(row));
      count();
    },
    /** On top; a call that is there already is replaced. */
    add(entry) {
      body.querySelector(`[data-id="${CSS.escape(entry.id)}"]`)?.remove();
      body.prepend(row(entry));
      while (body.childElementCount > rowsMax) body.lastElementChild.remove();
      count();
    },
    choose(id) {
      chosen = id;
      for (const node of body.children) {
        const isChosen = node.dataset.id === id;
        if (isChosen) node.setAttribute("aria-current", "true");
        else node.removeAttribute("aria-current");
        const link = node.querySelector("a");
        link.setAttribute("href", hrefOf(node.dataset.id));
      }
    },
    mark(state) {
      live = state;
      count();
    },
    say(text) {
      fill(byId("count"), text);
    },
  };
}

function rowOf(entry, { href, isChosen }) {
  const at = new Date(entry.createdAt);
  const node = element(
    "tr",
    { "data-id": entry.id, "aria-current": isChosen ? "true" : undefined },
    element(
      "th",
      { scope: "row" },
      element(
        "a",
        { class: "log-link", href },
        element("time", { datetime: entry.createdAt, title: entry.createdAt }, timeText(at)),
      ),
    ),
    element(
      "td",
      { class: "log-model" },
      entry.model,
      entry.legs.length > 1 &&
        element("span", { class: "dim small-text" }, ` ${entry.legs.length} legs`),
    ),
    element("td", { class: `outcome ${entry.status}` }, outcomeOf(entry)),
    element("td", { class: "number" }, formatMs(entry.durationMs)),
    element("td", { class: "number" }, tokensOf(entry)),
    element("td", { class: "number" }, formatCost(entry.costUsd)),
  );
  // The whole row leads to the call; the link in it is for the keyboard.
  node.addEventListener("click", ({ target }) => {
    if (target.closest("a") === null) location.hash = href;
  });
  return node;
}

function timeText(at) {
  const time = at.toLocaleTimeString(undefined, { hour12: false });
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time : `${at.toLocaleDateString()} ${time}`;
}
