import { request } from "./api.js";
import { copyButton, element, fill } from "./dom.js";
import { formatCost, outcomeOf, tokensOf } from "./logs-list.js";
import { waterfall } from "./logs-waterfall.js";
import { formatMs } from "./timing.js";

/** One call: what it was, the legs that it took, input and output where they are kept, and what people say of it. */
export function createEntryView(entry, { backHref }) {
  const heading = element("h1", { tabindex: "-1" }, entry.model);
  const view = element(
    "article",
    { class: "stack wide" },
    element("a", { class: "log-back", href: backHref }, "← All calls"),
    element(
      "header",
      {},
      heading,
      element("p", { class: `outcome ${entry.status}` }, outcomeOf(entry)),
      entry.error !== undefined && element("p", { class: "error-text" }, entry.error),
    ),
    feedbackView(entry),
    element(
      "section",
      { class: "card" },
      element("h2", {}, entry.legs.length === 1 ? "One leg" : `${entry.legs.length} legs`),
      waterfall(entry),
    ),
    element("section", { class: "card" }, element("h2", {}, "Facts"), factsView(entry)),
    payloadView(entry),
  );
  return { view, heading };
}

function factsView(entry) {
  const facts = [
    ["Id", entry.id],
    ["Time", new Date(entry.createdAt).toLocaleString()],
    ["Duration", formatMs(entry.durationMs)],
    ["First output", entry.firstOutputMs === undefined ? undefined : formatMs(entry.firstOutputMs)],
    ["Tokens", tokensOf(entry) || undefined],
    ["Cost", `${formatCost(entry.costUsd)}${entry.hasCustomCost ? " (as the caller said)" : ""}`],
    ["Asked for", entry.requestedModel === entry.model ? undefined : entry.requestedModel],
    ["Route", entry.route],
    ["Surface", [entry.surface, entry.path].filter((part) => part !== undefined).join(" ")],
    ["Key", entry.keyId],
    ["Streamed", entry.isStreamed ? "yes" : "no"],
    ["HTTP status", entry.statusCode],
    ["Start", entry.start?.mode],
    ["Trace", entry.traceId],
    ["Request", entry.requestId],
    ["Event", entry.eventId],
    ...Object.entries(entry.metadata).map(([name, value]) => [`Metadata ${name}`, String(value)]),
  ];
  return element(
    "dl",
    { class: "facts" },
    facts.flatMap(([name, value]) =>
      value === undefined || value === ""
        ? []
        : [element("dt", {}, name), element("dd", {}, String(value))],
    ),
  );
}

/** Thumbs up and down; the one that holds is pressed, and pressing it again takes it back. */
function feedbackView(entry) {
  const status = element("span", { role: "status", class: "dim small-text" });
  let given = entry.feedback;
  const buttons = [
    [1, "👍", "Good answer"],
    [-1, "👎", "Bad answer"],
  ].map(([value, sign, label]) => {
    const button = element(
      "button",
      {
        type: "button",
        class: "button feedback",
        "aria-label": label,
        onclick: () => void give(value),
      },
      sign,
    );
    return { value, button };
  });
  function show() {
    for (const { value, button } of buttons) {
      button.setAttribute("aria-pressed", String(value === given));
    }
  }
  async function give(value) {
    const wanted = given === value ? null : value;
    try {
      const response = await request(`/api/v1/logs/${encodeURIComponent(entry.id)}`, {
        method: "PATCH",
        body: { feedback: wanted },
      });
      given = (await response.json()).feedback;
      fill(status, given === undefined ? "Taken back" : "Noted");
    } catch (error) {
      fill(status, error.message);
    }
    show();
  }
  show();
  return element(
    "div",
    { class: "row", role: "group", "aria-label": "Feedback" },
    buttons.map(({ button }) => button),
    status,
  );
}

function payloadView(entry) {
  const section = element("section", { class: "card" }, element("h2", {}, "Input and output"));
  if (!entry.hasPayload) {
    section.append(
      element(
        "p",
        { class: "dim" },
        "They were not kept. A call with the header cf-aig-collect-log-payload: true keeps them, or a rule of the log.",
      ),
    );
    return section;
  }
  const place = element("p", { class: "dim" }, "Loading…");
  section.append(place);
  void request(`/api/v1/logs/${encodeURIComponent(entry.id)}/payload`)
    .then((response) => response.json())
    .then(
      ({ input, output }) =>
        place.replaceWith(textView("Input", input), textView("Output", output)),
      (error) => fill(place, error.message),
    );
  return section;
}

function textView(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value ?? null, undefined, 2);
  return element(
    "div",
    {},
    element(
      "div",
      { class: "row" },
      element("h3", {}, name),
      element("span", { class: "spacer" }),
      copyButton(() => text),
    ),
    element("pre", { class: "log-text", tabindex: "0", "aria-label": name }, text),
  );
}
