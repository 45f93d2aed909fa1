import { element } from "./dom.js";
import { formatDollars } from "./spend-chart.js";

/** How a missing value is called: a call without a route, without this metadata, … */
export function nameOf(value) {
  return value === null || value === undefined ? "(none)" : String(value);
}

const count = (value) => Number(value).toLocaleString("en");

/** The groups of a split, each with a way to look closer. `logsHref`: where its calls are told one by one. */
export function spendTable({ by, rows, total, seriesOf, onFilter, logsHref }) {
  const all = Number(total.usd);
  const head = [by, "Calls", "Tokens in", "Tokens out", "Failed", "Share", "Cost", ""];
  return element(
    "table",
    { class: "spend-table" },
    element("caption", { class: "visually-hidden" }, `Spend by ${by}`),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        head.map((name) => element("th", { scope: "col" }, name)),
      ),
    ),
    element(
      "tbody",
      {},
      rows.map((row) => rowOf(row, { by, all, seriesOf, onFilter, logsHref })),
    ),
  );
}

function rowOf(row, { by, all, seriesOf, onFilter, logsHref }) {
  const value = row[by];
  const share = all === 0 ? 0 : (Number(row.usd) / all) * 100;
  const bar = element("span", { class: "share-bar" });
  bar.style.inlineSize = `${Math.max(0, Math.min(100, share))}%`;
  const notes = [
    row.unpricedLegs > 0 && `${count(row.unpricedLegs)} without a price`,
    row.estimatedLegs > 0 && `${count(row.estimatedLegs)} estimated`,
    row.interruptedLegs > 0 && `${count(row.interruptedLegs)} interrupted`,
    row.callersKeyLegs > 0 && `${count(row.callersKeyLegs)} paid by callers`,
  ].filter(Boolean);
  return element(
    "tr",
    {},
    element(
      "th",
      { scope: "row" },
      element("span", { class: `swatch series-${seriesOf(value)}`, "aria-hidden": "true" }),
      element(
        "button",
        { type: "button", class: "link", onclick: () => onFilter(value) },
        nameOf(value),
      ),
      notes.length > 0 && element("span", { class: "row-note dim small-text" }, notes.join(", ")),
    ),
    element("td", {}, count(row.legs)),
    element("td", {}, count(row.inputTokens)),
    element("td", {}, count(row.outputTokens)),
    element("td", {}, count(row.failedLegs)),
    element("td", { class: "share" }, bar, element("span", {}, `${share.toFixed(1)} %`)),
    element("td", { title: `$${row.usd}` }, formatDollars(row.usd)),
    element("td", {}, element("a", { href: logsHref(value) }, "Logs")),
  );
}
