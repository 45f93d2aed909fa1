import { streamChat } from "./api.js";
import { element, fill, freshId } from "./dom.js";
import { readEvents } from "./event-stream.js";
import { FieldError } from "./form-fields.js";
import { formatMs, timingView } from "./timing.js";

/** A conversation with a chat model: the answer's text as it comes, how the instance started, and how fast it was. */
export function createChatPanel({ model, onChange }) {
  const turns = [];
  const log = element("div", { class: "chat-log", role: "log", "aria-label": "Conversation" });
  const status = element("p", { class: "status", role: "status" });
  const problem = element("div", { class: "error-box", role: "alert", hidden: true });
  const textId = freshId("chat");
  const text = element("textarea", {
    id: textId,
    rows: 2,
    placeholder: "Say something. Enter sends, Shift+Enter makes a new line.",
  });
  const send = element("button", { type: "submit", class: "button primary" }, "Send");
  const stop = element("button", { type: "button", class: "button", hidden: true }, "Stop");
  const clear = element("button", { type: "button", class: "button quiet" }, "Clear");
  const settings = createSettings(onChange);
  let current;

  const messages = () => [
    ...(settings.system() === "" ? [] : [{ role: "system", content: settings.system() }]),
    ...turns,
  ];

  async function ask() {
    const content = text.value.trim();
    if (content === "" || current !== undefined) return;
    say(undefined);
    let numbers;
    try {
      numbers = settings.numbers();
    } catch (error) {
      say(error.message);
      return;
    }
    current = new AbortController();
    setRunning(true);
    turns.push({ role: "user", content });
    text.value = "";
    const mine = bubble("user", content);
    const answer = bubble("assistant", "");
    log.append(mine.view, answer.view);
    try {
      await hear(answer, numbers);
      turns.push({ role: "assistant", content: answer.text() });
    } catch (error) {
      if (answer.text() === "") {
        // Nothing was said: the question goes back into the box.
        turns.pop();
        mine.view.remove();
        answer.view.remove();
        text.value = content;
      } else {
        turns.push({ role: "assistant", content: answer.text() });
      }
      if (!current.signal.aborted) say(error.message);
    } finally {
      status.textContent = current.signal.aborted ? "Stopped" : "";
      current = undefined;
      setRunning(false);
      text.focus();
      onChange();
    }
  }

  async function hear(answer, numbers) {
    const startedAt = performance.now();
    status.textContent = "Waiting for the model…";
    const { signal } = current;
    const { response, start } = await streamChat({
      model: model.id,
      messages: messages(),
      settings: numbers,
      signal,
    });
    let firstMs;
    let usage;
    for await (const { data } of readEvents(response)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Error(String(chunk.error.message ?? "The answer broke off."));
      usage = chunk.usage ?? usage;
      const delta = chunk.choices?.[0]?.delta ?? {};
      if (typeof delta.reasoning_content === "string") answer.think(delta.reasoning_content);
      if (typeof delta.content !== "string" || delta.content === "") continue;
      firstMs ??= performance.now() - startedAt;
      status.textContent = "Answering…";
      answer.add(delta.content);
    }
    answer.conclude(start, factsOf({ startedAt, firstMs, usage }));
  }

  function say(message) {
    problem.hidden = message === undefined;
    fill(problem, message);
  }

  function setRunning(isRunning) {
    stop.hidden = !isRunning;
    send.disabled = isRunning;
    clear.disabled = isRunning;
    log.setAttribute("aria-busy", String(isRunning));
  }

  stop.addEventListener("click", () => current?.abort());
  clear.addEventListener("click", () => {
    turns.length = 0;
    fill(log);
    say(undefined);
    onChange();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void ask();
  });
  text.addEventListener("input", () => onChange());

  const form = element(
    "form",
    {
      class: "stack",
      onsubmit: (event) => {
        event.preventDefault();
        void ask();
      },
    },
    element("label", { class: "field" }, element("span", { class: "label" }, "Message"), text),
    element(
      "div",
      { class: "row" },
      send,
      stop,
      clear,
      element("span", { class: "spacer" }),
      status,
    ),
    settings.view,
  );
  return {
    view: element("div", { class: "card chat" }, log, problem, form),
    /** For code samples: the conversation with what is being written. */
    peek: () => {
      const draft = text.value.trim();
      const lastAsked = turns.findLastIndex(({ role }) => role === "user");
      const asked =
        draft === ""
          ? messages().slice(0, messages().length - turns.length + lastAsked + 1)
          : [...messages(), { role: "user", content: draft }];
      return {
        messages: asked.length === 0 ? [{ role: "user", content: "Hello" }] : asked,
        ...settings.peek(),
      };
    },
    stop: () => current?.abort(),
  };
}

function factsOf({ startedAt, firstMs, usage }) {
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

function bubble(role, content) {
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

function createSettings(onChange) {
  const system = element("textarea", { rows: 2, oninput: onChange });
  const numbers = [
    ["max_tokens", "Most tokens"],
    ["temperature", "Temperature"],
  ].map(([name, label]) => ({
    name,
    label,
    control: element("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      oninput: onChange,
    }),
  }));
  const read = () => {
    const values = {};
    for (const { name, label, control } of numbers) {
      const written = control.value.trim();
      if (written === "") continue;
      const value = Number(written);
      if (!Number.isFinite(value)) throw new FieldError(`${label} must be a number.`);
      values[name] = value;
    }
    return values;
  };
  const field = (label, control) =>
    element("label", { class: "field" }, element("span", { class: "label" }, label), control);
  return {
    view: element(
      "details",
      { class: "more" },
      element("summary", {}, "Settings"),
      element(
        "div",
        { class: "stack" },
        field("System prompt", system),
        element(
          "div",
          { class: "columns" },
          numbers.map(({ label, control }) => field(label, control)),
        ),
      ),
    ),
    system: () => system.value.trim(),
    numbers: read,
    peek: () => {
      try {
        return read();
      } catch {
        return {};
      }
    },
  };
}
