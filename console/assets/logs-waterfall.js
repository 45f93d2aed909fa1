import { element } from "./dom.js";
import { formatCost } from "./logs-list.js";
import { formatMs } from "./timing.js";

/** The legs of a call on one scale of time: when each began, when it said something first, how it ended. */
export function waterfall({ legs, durationMs }) {
  const end = Math.max(durationMs, ...legs.map((leg) => leg.afterMs + leg.durationMs), 1);
  return element(
    "ol",
    { class: "waterfall", "aria-label": "Legs of the call" },
    legs.map((leg) => legItem(leg, end)),
  );
}

function legItem(leg, endMs) {
  const { afterMs, durationMs, firstOutputMs } = leg;
  const waiting = bar("waiting", { from: afterMs, ms: firstOutputMs ?? durationMs, endMs });
  const speaking =
    firstOutputMs !== undefined &&
    bar("speaking", { from: afterMs + firstOutputMs, ms: durationMs - firstOutputMs, endMs });
  return element(
    "li",
    { class: `leg ${leg.state}` },
    element(
      "div",
      { class: "leg-head" },
      element("strong", {}, `${leg.provider} · ${leg.upstreamModel}`),
      element("span", { class: `outcome ${leg.state}` }, stateText(leg)),
    ),
    element("div", { class: "leg-track", "aria-hidden": true }, waiting, speaking),
    element("p", { class: "dim small-text" }, factsOf(leg).join(" · ")),
    leg.error !== undefined && element("p", { class: "small-text leg-error" }, leg.error),
  );
}

function bar(name, { from, ms, endMs }) {
  const node = element("span", { class: `leg-bar ${name}` });
  // Through the object model: a style attribute is what the page's policy refuses.
  node.style.insetInlineStart = `${Math.max(0, (from / endMs) * 100)}%`;
  node.style.inlineSize = `${Math.max(0.4, (Math.max(0, ms) / endMs) * 100)}%`;
  return node;
}

function stateText({ state, status, code }) {
  return [state, status, code].filter((part) => part !== undefined).join(" ");
}

function factsOf(leg) {
  const { afterMs, durationMs, firstOutputMs, start, tokensIn, tokensOut, instanceId } = leg;
  return [
    `after ${formatMs(afterMs)}, ${formatMs(durationMs)}`,
    firstOutputMs !== undefined && `first output ${formatMs(firstOutputMs)}`,
    start !== undefined &&
      `${start.mode}${start.totalMs > 0 ? ` in ${formatMs(start.totalMs)}` : ""}`,
    start?.reason !== undefined && start.reason,
    instanceId,
    (tokensIn !== undefined || tokensOut !== undefined) &&
      `${leg.isEstimated ? "≈ " : ""}${tokensIn ?? 0} tokens in, ${tokensOut ?? 0} out`,
    leg.isUnpriced ? "no price known" : formatCost(leg.nanoUsd / 1e9),
    leg.isCallersKey && "paid with the caller's own key",
  ].filter((fact) => fact !== undefined && fact !== false);
}
