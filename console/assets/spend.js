import { ApiError, request, savedKey } from "./api.js";
import { byId, element, fill } from "./dom.js";
import { createKeyDialog } from "./key-dialog.js";
import { budgetItems } from "./spend-budgets.js";
import { drawChart, formatDollars, seriesMax } from "./spend-chart.js";
import { nameOf, spendTable } from "./spend-table.js";

const dayMs = 24 * 3_600_000;
/** Dimensions that people ask for first, with how they are called. */
const names = {
  model: "Model",
  provider: "Provider",
  key: "API key",
  route: "Route",
  state: "Outcome",
  version: "Version",
};
const others = "others";
const keyDialog = createKeyDialog({ onChange: () => void load() });
/** Of loads, so that a slow answer does not replace a newer one. */
let turn = 0;

/** What the address says: `#period=30&by=model&filter.model=acme%2Fchat`. */
function asked() {
  const values = new URLSearchParams(location.hash.slice(1));
  const filters = [...values].flatMap(([name, value]) =>
    name.startsWith("filter.") ? [[name.slice("filter.".length), value]] : [],
  );
  return {
    period: Number(values.get("period") ?? 30) || 30,
    by: values.get("by") ?? "model",
    filters,
  };
}

function ask({ period, by, filters }) {
  const values = new URLSearchParams({ period: String(period), by });
  for (const [name, value] of filters) values.append(`filter.${name}`, value);
  location.hash = values.toString();
}

async function load() {
  turn += 1;
  const mine = turn;
  if (savedKey() === "") {
    say(
      "A key is needed",
      "What calls cost is behind an API key: an admin's shows everything, another one what it spent itself.",
    );
    return;
  }
  try {
    const question = asked();
    const [dimensions, days, split] = await Promise.all([
      read("/api/v1/spend/dimensions"),
      read(`/api/v1/spend?${queryOf(question, `day,${question.by}`)}&limit=10000`),
      read(`/api/v1/spend?${queryOf(question, question.by)}&limit=200`),
    ]);
    const budgets = await read("/api/v1/budgets").catch(() => undefined);
    if (mine === turn) show({ question, dimensions, days, split, budgets });
  } catch (error) {
    if (mine !== turn) return;
    const isRefused = error instanceof ApiError && (error.status === 401 || error.status === 403);
    say(isRefused ? "The key was refused" : "The numbers could not be read", error.message);
  }
}

async function read(path) {
  return (await request(path)).json();
}

function firstDay(period) {
  return new Date(Date.now() - (period - 1) * dayMs).toISOString().slice(0, 10);
}

function queryOf({ period, filters }, by) {
  const query = new URLSearchParams({ by, from: firstDay(period) });
  for (const [name, value] of filters) query.append(`filter[${name}]`, value);
  return query.toString();
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
        { type: "button", class: "button primary", onclick: keyDialog.ask },
        "Enter a key",
      ),
    ),
  );
}

function show({ question, dimensions, days, split, budgets }) {
  fill(byId("notice"));
  byId("report").hidden = false;
  showFilters(question, dimensions);
  const { total } = split;
  byId("total").textContent = formatDollars(total.usd);
  byId("total").title = `$${total.usd}`;
  byId("total-note").textContent = noteOf(total, split.openLegs);
  const isEmpty = split.rows.length === 0;
  const series = isEmpty ? [] : seriesOf(question, { days, split });
  const indexOf = (value) => {
    const at = series.findIndex(({ name }) => name === nameOf(value));
    return at === -1 ? seriesMax : at;
  };
  const note = byId("chart-note");
  note.textContent = "";
  if (isEmpty) {
    fill(
      byId("chart"),
      element(
        "p",
        { class: "empty" },
        "No call in this time. Call a model, and what it costs shows here.",
      ),
    );
    fill(byId("table"));
  } else {
    fill(
      byId("chart"),
      drawChart({
        width: Math.max(280, byId("chart").clientWidth),
        days: daysOf(question),
        series,
        onDay: (text) => (note.textContent = text),
      }),
    );
    fill(
      byId("table"),
      spendTable({
        by: question.by,
        rows: split.rows,
        total,
        seriesOf: indexOf,
        onFilter: (value) =>
          ask({ ...question, filters: [...question.filters, [question.by, value ?? ""]] }),
        logsHref: (value) => logsHref(question, value),
      }),
    );
  }
  byId("table-title").textContent = `By ${(names[question.by] ?? question.by).toLowerCase()}`;
  const list = budgets?.budgets ?? [];
  byId("budgets-section").hidden = budgets === undefined;
  fill(
    byId("budgets"),
    list.length === 0
      ? element("li", { class: "dim" }, "None. `byom budgets set NAME LIMIT_USD` makes one.")
      : budgetItems(list),
  );
}

function noteOf(total, openLegs) {
  const parts = [
    `in ${Number(total.legs).toLocaleString("en")} calls`,
    Number(total.callersNanoUsd) > 0 && "callers' own provider keys not counted",
    total.unpricedLegs > 0 && `${total.unpricedLegs} without a known price`,
    openLegs > 0 && `${openLegs} under way`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function showFilters(question, { dimensions, metadata }) {
  byId("period").value = String(question.period);
  const choices = [
    ...Object.keys(names).filter((name) => dimensions.includes(name)),
    ...metadata.map((name) => `metadata.${name}`),
  ];
  if (!choices.includes(question.by)) choices.push(question.by);
  fill(
    byId("by"),
    choices.map((name) => element("option", { value: name }, names[name] ?? name)),
  );
  byId("by").value = question.by;
  fill(
    byId("chips"),
    question.filters.map(([name, value], at) =>
      element(
        "li",
        {},
        element(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-label": `Remove the filter ${name} ${value}`,
            onclick: () => ask({ ...question, filters: question.filters.toSpliced(at, 1) }),
          },
          `${names[name] ?? name}: ${value === "" ? nameOf(null) : value} ✕`,
        ),
      ),
    ),
  );
}

function daysOf({ period }) {
  const first = Date.parse(firstDay(period));
  return Array.from({ length: period }, (_, at) =>
    new Date(first + at * dayMs).toISOString().slice(0, 10),
  );
}

/** The dearest values day by day, and all others as one. */
function seriesOf(question, { days, split }) {
  const dates = daysOf(question);
  const top = split.rows.slice(0, seriesMax).map((row) => nameOf(row[question.by]));
  const series = [...top, others].map((name) => ({ name, values: dates.map(() => 0) }));
  for (const row of days.rows) {
    const at = dates.indexOf(row.day);
    const index = top.indexOf(nameOf(row[question.by]));
    if (at !== -1) series[index === -1 ? top.length : index].values[at] += Number(row.usd);
  }
  return split.rows.length > seriesMax ? series : series.slice(0, -1);
}

/** The calls behind a number, one by one: the log is searched by model and by one piece of metadata. */
function logsHref({ filters, period, by }, value) {
  const query = new URLSearchParams({ from: `${period}d` });
  for (const [name, one] of [...filters, [by, value ?? ""]]) {
    if (one === "") continue;
    if (name === "model") query.set("model", one);
    if (name.startsWith("metadata.")) {
      query.set("metadata", `${name.slice("metadata.".length)}=${one}`);
    }
  }
  return `/logs#${query.toString()}`;
}

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("period").addEventListener("change", (event) =>
  ask({ ...asked(), period: Number(event.target.value) }),
);
byId("by").addEventListener("change", (event) => ask({ ...asked(), by: event.target.value }));
globalThis.addEventListener("hashchange", () => void load());
void load();
