import { cancelPrediction, createPrediction, getPrediction, streamPrediction } from "./api.js";
import { element, fill } from "./dom.js";
import { readEvents } from "./event-stream.js";
import { createForm } from "./form.js";
import { createOutputView } from "./output.js";
import { isTextOutput } from "./schema.js";
import { formatMs, timingView } from "./timing.js";

/** Between two looks at a running prediction, for its logs and state. */
const lookEveryMs = 1000;
/** The first look comes sooner: most predictions of small models are over by then. */
const firstLookMs = 150;
const finalStates = new Set(["succeeded", "failed", "canceled", "aborted"]);

/** The form of a model and what comes of it. */
export function createPredictionPanel({ model, onInput }) {
  const isText = isTextOutput(model.output);
  const output = createOutputView();
  const status = element("p", { class: "status", role: "status" });
  const problem = element("div", { class: "error-box", role: "alert", hidden: true });
  const logs = element("pre", { class: "code logs" });
  const logsBox = element(
    "details",
    { class: "more", hidden: true },
    element("summary", {}, "Logs"),
    logs,
  );
  const timing = element("div", {});
  const cancel = element("button", { type: "button", class: "button", hidden: true }, "Cancel");
  let current;

  const form = createForm({
    schema: model.input,
    example: model.example,
    label: "Run",
    onSubmit: () => void run(),
    onChange: () => onInput(form),
  });

  async function run() {
    if (current !== undefined) return;
    say(undefined);
    const input = await form.read();
    if (input === undefined) return;
    current = {
      stop: new AbortController(),
      startedAt: performance.now(),
      id: undefined,
      looks: 0,
    };
    setRunning(true);
    output.clear();
    fill(timing);
    fill(logs);
    logsBox.hidden = true;
    const ticker = setInterval(() => tick(), 100);
    try {
      const outcome = await follow(input);
      showOutcome(outcome);
    } catch (error) {
      showFailure(error);
    } finally {
      clearInterval(ticker);
      current = undefined;
      setRunning(false);
    }
  }

  /** Begins, shows what streams, and resolves with the prediction's last state. */
  async function follow(input) {
    const { signal } = current.stop;
    const created = await createPrediction({ model: model.id, input, signal });
    current.id = created.id;
    const looking = look(created.id);
    if (isText) await readText(created.id, signal);
    return looking;
  }

  async function readText(id, signal) {
    try {
      const response = await streamPrediction(id, { signal });
      for await (const { event, data } of readEvents(response)) {
        if (event === "output") {
          current.firstMs ??= performance.now() - current.startedAt;
          output.addText(data);
        } else if (event === "done") {
          current.lookNow?.();
          return;
        }
      }
    } catch (error) {
      // A stream that breaks is no failure: the prediction goes on, and its record has the whole output.
      if (signal.aborted) throw error;
    }
  }

  async function look(id) {
    for (;;) {
      const state = await getPrediction(id, { signal: current.stop.signal });
      showLogs(state.prediction.logs);
      current.status = state.prediction.status;
      if (finalStates.has(state.prediction.status)) return state;
      await pause();
    }
  }

  /** Until the next look; the end of a stream and a cancel make it come at once. */
  function pause() {
    const ms = current.looks === 0 ? firstLookMs : lookEveryMs;
    current.looks += 1;
    return new Promise((resolve) => {
      current.lookNow = resolve;
      setTimeout(resolve, ms);
    });
  }

  function tick() {
    const word = current.status === "processing" ? "Running" : "Starting";
    status.textContent = `${word} · ${formatMs(performance.now() - current.startedAt)}`;
  }

  function showOutcome({ prediction, start }) {
    const totalMs = performance.now() - current.startedAt;
    const facts = [["Total", formatMs(totalMs)]];
    if (current.firstMs !== undefined) facts.push(["First output", formatMs(current.firstMs)]);
    const { predict_time: seconds, output_tokens: tokens } = prediction.metrics ?? {};
    if (typeof seconds === "number") facts.push(["Prediction", formatMs(seconds * 1000)]);
    if (typeof tokens === "number") facts.push(["Tokens", String(tokens)]);
    fill(timing, timingView(start, facts));
    status.textContent = { succeeded: "Done", canceled: "Canceled" }[prediction.status] ?? "Failed";
    if (prediction.status === "succeeded") output.show(prediction.output, { isText });
    else if (prediction.output !== null && prediction.output !== undefined && !isText)
      output.show(prediction.output, { isText });
    if (prediction.status === "failed" || prediction.status === "aborted") {
      say(String(prediction.error ?? "The prediction failed."));
    }
  }

  function showFailure(error) {
    if (current.stop.signal.aborted) {
      status.textContent = "Canceled";
      return;
    }
    status.textContent = "Not run";
    const rest = form.mark(error.fields ?? []);
    say([error.message, ...rest].join(" "));
  }

  function showLogs(text) {
    if (typeof text !== "string" || text === "") return;
    logsBox.hidden = false;
    logs.textContent = text;
  }

  function say(message) {
    problem.hidden = message === undefined;
    fill(problem, message);
  }

  function setRunning(isRunning) {
    cancel.hidden = !isRunning;
    form.submit.disabled = isRunning;
    output.view.setAttribute("aria-busy", String(isRunning));
  }

  cancel.addEventListener("click", async () => {
    const running = current;
    if (running === undefined) return;
    if (running.id === undefined) {
      running.stop.abort();
      return;
    }
    status.textContent = "Canceling…";
    try {
      await cancelPrediction(running.id);
      running.lookNow?.();
    } catch {
      running.stop.abort();
    }
  });

  const view = element(
    "div",
    { class: "run" },
    element("div", { class: "card" }, element("h2", {}, "Input"), form.form),
    element(
      "div",
      { class: "card", "aria-label": "Output", role: "region" },
      element(
        "div",
        { class: "row" },
        element("h2", {}, "Output"),
        element("span", { class: "spacer" }),
        status,
        cancel,
      ),
      problem,
      output.view,
      timing,
      logsBox,
    ),
  );
  return { view, form, stop: () => current?.stop.abort() };
}
