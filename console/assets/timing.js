import { element } from "./dom.js";

const modeWords = {
  running: "an instance was running",
  resumed: "resumed from pause",
  restored: "restored from its snapshot",
  cold: "started cold",
};

export function formatMs(ms) {
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** How the instance started, phase by phase, and how long the call took. `facts`: `[name, text]` pairs beside it. */
export function timingView(start, facts) {
  const rows = facts.map(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]);
  if (start === undefined) return element("dl", { class: "facts" }, rows);
  const mode = modeWords[start.mode] ?? start.mode;
  const longest = Math.max(1, ...start.phases.map(({ ms }) => ms));
  return element(
    "div",
    { class: "timing" },
    element(
      "dl",
      { class: "facts" },
      element("dt", {}, "Start"),
      element("dd", { class: "start-mode" }, `${start.mode}, ${formatMs(start.totalMs)}`),
      rows,
    ),
    element(
      "p",
      { class: "dim small-text" },
      start.reason === "" ? mode : `${mode}: ${start.reason}`,
    ),
    start.phases.length > 0 &&
      element(
        "table",
        { class: "phases" },
        element("caption", { class: "visually-hidden" }, "Phases of the start"),
        start.phases.map((phase) => phaseRow(phase, longest)),
      ),
  );
}

function phaseRow({ name, ms }, longest) {
  const bar = element("span", { class: "phase-bar" });
  // Through the object model: a style attribute is what the page's policy refuses.
  bar.style.inlineSize = `${Math.max(1, (ms / longest) * 100)}%`;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    element("td", { class: "phase-track", "aria-hidden": true }, bar),
    element("td", { class: "phase-time" }, formatMs(ms)),
  );
}
