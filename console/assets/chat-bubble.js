import { element, fill } from "./dom.js";
import { formatMs, timingView } from "./timing.js";

/** One turn of a conversation: its text, what the model thought before, and how the answer came about. */
export function createBubble(role, content) {
  const body = element("p", { class: "bubble-text" }, content);
  const thought = element(
    "details",
    { class: "more", hidden: true },
    element("summary", {}, "Reasoning"),
  );
  const foot = element("div", { class: "bubble-foot" });
  const view = element(
    "article",
    { class: `bubble ${role}`, "aria-label": role === "user" ? "You" : "Model" },
    thought,
    body,
    foot,
  );
  return {
    view,
    text: () => body.textContent,
    add(piece) {
      body.append(piece);
      view.scrollIntoView({ block: "nearest" });
    },
    think(piece) {
      thought.hidden = false;
      thought.append(piece);
    },
    conclude(start, facts) {
      fill(
        foot,
        element(
          "details",
          { class: "more" },
          element("summary", {}, `${start?.mode ?? "done"} · ${facts[0][1]}`),
          timingView(start, facts),
        ),
      );
    },
  };
}

/** What is said of an answer's speed: `[name, text]` pairs. */
export function factsOf({ startedAt, firstMs, usage }) {
  const totalMs = performance.now() - startedAt;
  const facts = [["Total", formatMs(totalMs)]];
  if (firstMs !== undefined) facts.unshift(["First token", formatMs(firstMs)]);
  if (usage !== undefined) {
    const tokens = usage.completion_tokens;
    const seconds = (totalMs - (firstMs ?? 0)) / 1000;
    const rate = tokens > 1 && seconds > 0.2 ? `, ${(tokens / seconds).toFixed(1)}/s` : "";
    facts.push([
      usage.estimated ? "Tokens (estimated)" : "Tokens",
      `${usage.prompt_tokens} in, ${tokens} out${rate}`,
    ]);
  }
  return facts;
}
