import { streamChat } from "./api.js";
import { createBubble, factsOf } from "./chat-bubble.js";
import { createSettings } from "./chat-settings.js";
import { element, fill, freshId } from "./dom.js";
import { readEvents } from "./event-stream.js";

/** A conversation with a chat model: the answer's text as it comes, how the instance started, and how fast it was. */
export function createChatPanel({ model, onChange }) {
  const turns = [];
  const settings = createSettings(onChange);
  const box = createChatView({ onAsk: () => void ask(), onChange, settings });
  let current;

  const messages = () => [
    ...(settings.system() === "" ? [] : [{ role: "system", content: settings.system() }]),
    ...turns,
  ];

  async function ask() {
    const content = box.draft();
    if (content === "" || current !== undefined) return;
    box.say(undefined);
    let numbers;
    try {
      numbers = settings.numbers();
    } catch (error) {
      box.say(error.message);
      return;
    }
    current = new AbortController();
    box.setRunning(true);
    turns.push({ role: "user", content });
    const mine = createBubble("user", content);
    const answer = createBubble("assistant", "");
    box.log.append(mine.view, answer.view);
    try {
      await hear(answer, numbers);
    } catch (error) {
      if (!current.signal.aborted) box.say(error.message);
    }
    if (answer.text() === "") {
      // Nothing was said: the question goes back into the box.
      turns.pop();
      mine.view.remove();
      answer.view.remove();
      box.setDraft(content);
    } else turns.push({ role: "assistant", content: answer.text() });
    box.setStatus(current.signal.aborted ? "Stopped" : "");
    current = undefined;
    box.setRunning(false);
    onChange();
  }

  async function hear(answer, numbers) {
    const startedAt = performance.now();
    box.setStatus("Waiting for the model…");
    const asked = { model: model.id, messages: messages(), settings: numbers };
    const { response, start } = await streamChat({ ...asked, signal: current.signal });
    const { firstAt, usage } = await readAnswer(response, answer, () =>
      box.setStatus("Answering…"),
    );
    const firstMs = firstAt === undefined ? undefined : firstAt - startedAt;
    answer.conclude(start, factsOf({ startedAt, firstMs, usage }));
  }

  box.stop.addEventListener("click", () => current?.abort());
  box.clear.addEventListener("click", () => {
    turns.length = 0;
    fill(box.log);
    box.say(undefined);
    onChange();
  });
  return {
    view: box.view,
    /** For code samples: the conversation up to its last question, or to what is being written. */
    peek() {
      const draft = box.draft();
      const asked = draft === "" ? messages() : [...messages(), { role: "user", content: draft }];
      return { messages: toLastQuestion(asked), ...settings.peek() };
    },
    stop: () => current?.abort(),
  };
}

function toLastQuestion(asked) {
  const last = asked.findLastIndex(({ role }) => role === "user");
  return last === -1 ? [...asked, { role: "user", content: "Hello" }] : asked.slice(0, last + 1);
}

/** Puts the chunks of an answer into its bubble. Resolves with when the first text came and the usage. */
async function readAnswer(response, answer, onFirst) {
  let firstAt;
  let usage;
  for await (const { data } of readEvents(response)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(String(chunk.error.message ?? "The answer broke off."));
    usage = chunk.usage ?? usage;
    const delta = chunk.choices?.[0]?.delta ?? {};
    if (typeof delta.reasoning_content === "string") answer.think(delta.reasoning_content);
    if (typeof delta.content !== "string" || delta.content === "") continue;
    if (firstAt === undefined) {
      firstAt = performance.now();
      onFirst();
    }
    answer.add(delta.content);
  }
  return { firstAt, usage };
}

/** The conversation, the box to write in, and its buttons. */
function createChatView({ onAsk, onChange, settings }) {
  const log = element("div", { class: "chat-log", role: "log", "aria-label": "Conversation" });
  const status = element("p", { class: "status", role: "status" });
  const problem = element("div", { class: "error-box", role: "alert", hidden: true });
  const id = freshId("chat");
  const placeholder = "Say something. Enter sends, Shift+Enter makes a new line.";
  const text = element("textarea", { id, rows: 2, placeholder, oninput: () => onChange() });
  const send = element("button", { type: "submit", class: "button primary" }, "Send");
  const stop = element("button", { type: "button", class: "button", hidden: true }, "Stop");
  const clear = element("button", { type: "button", class: "button quiet" }, "Clear");
  const spacer = element("span", { class: "spacer" });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    onAsk();
  });
  const onsubmit = (event) => {
    event.preventDefault();
    onAsk();
  };
  const form = element(
    "form",
    { class: "stack", onsubmit },
    element("label", { class: "field" }, element("span", { class: "label" }, "Message"), text),
    element("div", { class: "row" }, send, stop, clear, spacer, status),
    settings.view,
  );
  return {
    view: element("div", { class: "card chat" }, log, problem, form),
    log,
    stop,
    clear,
    draft: () => text.value.trim(),
    setDraft: (content) => (text.value = content),
    setStatus: (words) => (status.textContent = words),
    say(message) {
      problem.hidden = message === undefined;
      fill(problem, message);
    },
    setRunning(isRunning) {
      stop.hidden = !isRunning;
      send.disabled = isRunning;
      clear.disabled = isRunning;
      log.setAttribute("aria-busy", String(isRunning));
      if (isRunning) text.value = "";
      else text.focus();
    },
  };
}
