import { element } from "./dom.js";
import { formatDollars } from "./spend-chart.js";

/** The budgets with how full they are. */
export function budgetItems(budgets) {
  return budgets.map((budget) => {
    const { state, limit } = budget;
    // Of one with partitions the fullest value counts.
    const used = Number(limit) - Number(state.remainingUsd);
    const share = Number(limit) === 0 ? 100 : Math.min(100, (used / Number(limit)) * 100);
    const level = state.isUsedUp ? "full" : share >= 80 ? "near" : "open";
    const fill = element("span", { class: `fill ${level}` });
    fill.style.inlineSize = `${share}%`;
    return element(
      "li",
      { class: "budget" },
      element(
        "div",
        { class: "budget-head" },
        element("strong", {}, budget.id),
        element("span", { class: "dim" }, scopeOf(budget)),
        element("span", { class: "spacer" }),
        element(
          "span",
          {},
          `${formatDollars(state.spentUsd)} of ${formatDollars(limit)} ${windowOf(budget)}`,
        ),
      ),
      element(
        "div",
        {
          class: "meter",
          role: "meter",
          "aria-label": `Budget ${budget.id}`,
          "aria-valuemin": 0,
          "aria-valuemax": 100,
          "aria-valuenow": Math.round(share),
          "aria-valuetext": `${Math.round(share)} % used`,
        },
        fill,
      ),
      element("p", { class: "dim small-text" }, standing(budget)),
    );
  });
}

function standing({ enabled, state, isRestored }) {
  if (!enabled) return "Off";
  const parts = [
    state.isUsedUp
      ? `Used up: calls are refused until ${minute(state.resetsAt)}`
      : `${formatDollars(state.remainingUsd)} left until ${minute(state.resetsAt)}`,
    Number(state.overshootUsd) > 0 &&
      `${formatDollars(state.overshootUsd)} beyond the limit by calls in flight`,
    state.inFlight > 0 &&
      `${formatDollars(state.reservedUsd)} held for ${state.inFlight} calls in flight`,
    state.refused > 0 && `${state.refused} calls refused`,
    !isRestored && "still being added up",
  ];
  return parts.filter(Boolean).join(" · ");
}

function scopeOf({ key, model, provider, route, metadata = {} }) {
  const parts = Object.entries({ key, model, provider, route, ...metadata }).flatMap(
    ([name, selection]) => {
      if (selection === undefined) return [];
      return selection.mode === "partition"
        ? [`each ${name}`]
        : [`${name} ${selection.values.join(" or ")}`];
    },
  );
  return parts.length === 0 ? "all calls" : parts.join(", ");
}

function windowOf({ window, technique }) {
  const length = typeof window === "number" ? `${window} s` : window;
  return technique === "sliding" ? `in any ${length}` : `each ${length}`;
}

function minute(timestamp) {
  return `${timestamp.slice(0, 16).replace("T", " ")} UTC`;
}
