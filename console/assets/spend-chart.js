/** Bars by day, stacked by what the spend is split by. Drawn from numbers alone: labels are text nodes. */

const svgNamespace = "http://www.w3.org/2000/svg";
const height = 220;
const margin = { left: 64, right: 8, top: 12, bottom: 26 };
const innerHeight = height - margin.top - margin.bottom;
/** Series with colours of their own; the others are one more. */
export const seriesMax = 5;

function shape(name, attributes, ...children) {
  const node = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.append(...children);
  return node;
}

/** Dollars and cents; below a cent as many digits as there are. */
export function formatDollars(usd) {
  const amount = Number(usd);
  if (amount === 0) return "$0";
  if (amount < 0.01) return `$${amount.toFixed(9).replace(/0+$/, "")}`;
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return `$${amount.toLocaleString("en", digits)}`;
}

/**
 * `days`: ISO dates in their order. `series`: `{name, values}` with one number of dollars a day, the dearest first.
 * `width`: in pixels of the page, so that letters keep their size. `onDay` is told which day has the focus.
 */
export function drawChart({ days, series, width, onDay }) {
  const totals = days.map((_, at) => series.reduce((sum, { values }) => sum + values[at], 0));
  const top = niceTop(Math.max(...totals, 0));
  const y = (usd) => margin.top + innerHeight * (1 - (top === 0 ? 0 : usd / top));
  const step = (width - margin.left - margin.right) / Math.max(1, days.length);
  const bars = days.map((day, at) => {
    const label = `${day}: ${formatDollars(totals[at])}${detailOf(series, at)}`;
    return dayBar({ label, at, step, y, series, isFirst: at === days.length - 1 });
  });
  for (const [at, bar] of bars.entries()) {
    const told = () => onDay(bar.getAttribute("aria-label"));
    bar.addEventListener("focus", told);
    bar.addEventListener("pointerenter", told);
    bar.addEventListener("keydown", (event) => move(event, bars, at));
  }
  const label = "Spend by day; the arrow keys move from day to day";
  return shape(
    "svg",
    { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label },
    ...[0, 0.5, 1].map((share) =>
      gridLine({ at: y(top * share), width, text: formatDollars(top * share) }),
    ),
    ...bars,
    ...dateLabels(days, step),
  );
}

function gridLine({ at, width, text }) {
  return shape(
    "g",
    { class: "grid" },
    shape("line", { x1: margin.left, x2: width - margin.right, y1: at, y2: at }),
    shape("text", { x: margin.left - 8, y: at + 4, "text-anchor": "end" }, text),
  );
}

/** One day: its series on each other, and a field over its whole height to point at. */
function dayBar({ label, at, step, y, series, isFirst }) {
  const bar = Math.max(1, step * 0.72);
  const x = margin.left + step * at;
  let from = 0;
  const parts = series.flatMap(({ values }, index) => {
    if (values[at] <= 0) return [];
    const [low, high] = [y(from), y(from + values[at])];
    from += values[at];
    const size = { width: bar, height: Math.max(0.5, low - high) };
    return [shape("rect", { class: `series-${index}`, x: x + (step - bar) / 2, y: high, ...size })];
  });
  return shape(
    "g",
    { class: "day", role: "img", tabindex: isFirst ? 0 : -1, "aria-label": label },
    shape("title", {}, label),
    shape("rect", { class: "hit", x, y: margin.top, width: step, height: innerHeight }),
    ...parts,
  );
}

/** Pixels that a date and the space beside it need. */
const dateWidth = 64;

function dateLabels(days, step) {
  const every = Math.max(1, Math.ceil(dateWidth / step));
  return days.flatMap((day, at) => {
    if (at % every !== 0) return [];
    const x = margin.left + step * (at + 0.5);
    return [shape("text", { x, y: height - 8, "text-anchor": "middle" }, day.slice(5))];
  });
}

function move(event, bars, at) {
  const places = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 };
  const next = bars[places[event.key]];
  if (next === undefined) return;
  event.preventDefault();
  bars[at].setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

function detailOf(series, at) {
  const parts = series
    .filter(({ values }) => values[at] > 0)
    .map(({ name, values }) => `${name} ${formatDollars(values[at])}`);
  return parts.length < 2 ? "" : ` (${parts.join(", ")})`;
}

/** The next number that is round, and whose half is. */
function niceTop(most) {
  if (most <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(most));
  return (
    [1, 2, 4, 6, 8, 10].map((times) => times * power).find((round) => round >= most * 0.999999) ??
    most
  );
}
