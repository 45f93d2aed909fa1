import { element, fill } from "./dom.js";
import { createForm } from "./form.js";
import { createOutputView } from "./output.js";
import { runPrediction } from "./prediction-run.js";
import { isTextOutput } from "./schema.js";
import { formatMs, timingView } from "./timing.js";

/** The form of a model and what comes of it. */
export function createPredictionPanel({ model, onInput }) {
  const isText = isTextOutput(model.output);
  const result = createResultView();
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
    result.say(undefined);
    const input = await form.read();
    if (input === undefined) return;
    result.clear();
    let word = "Starting";
    current = runPrediction({
      model: model.id,
      input,
      isText,
      onText: (piece) => result.output.addText(piece),
      onLook: ({ status, logs }) => {
        if (status === "processing") word = "Running";
        result.showLogs(logs);
      },
    });
    const { startedAt } = current;
    const ticker = setInterval(
      () => result.setStatus(`${word} · ${formatMs(performance.now() - startedAt)}`),
      100,
    );
    setRunning(true);
    try {
      result.showOutcome(await current.outcome, { isText });
    } catch (error) {
      showFailure(error);
    } finally {
      clearInterval(ticker);
      current = undefined;
      setRunning(false);
    }
  }

  function showFailure(error) {
    result.setStatus(current.isStopped() ? "Canceled" : "Not run");
    if (current.isStopped()) return;
    const rest = form.mark(error.fields ?? []);
    result.say([error.message, ...rest].join(" "));
  }

  function setRunning(isRunning) {
    form.submit.disabled = isRunning;
    result.setRunning(isRunning);
  }

  result.cancel.addEventListener("click", () => {
    result.setStatus("Canceling…");
    void current?.cancel();
  });
  const inputCard = element("div", { class: "card" }, element("h2", {}, "Input"), form.form);
  return {
    view: element("div", { class: "run" }, inputCard, result.view),
    form,
    stop: () => current?.stop(),
  };
}

/** Where a run's output, timing, logs and error stand. */
function createResultView() {
  const output = createOutputView();
  const status = element("p", { class: "status", role: "status" });
  const problem = element("div", { class: "error-box", role: "alert", hidden: true });
  const logs = element("pre", { class: "code logs" });
  const summary = element("summary", {}, "Logs");
  const logsBox = element("details", { class: "more", hidden: true }, summary, logs);
  const timing = element("div", {});
  const cancel = element("button", { type: "button", class: "button", hidden: true }, "Cancel");
  const spacer = element("span", { class: "spacer" });
  const say = (message) => {
    problem.hidden = message === undefined;
    fill(problem, message);
  };
  return {
    view: element(
      "div",
      { class: "card", "aria-label": "Output", role: "region" },
      element("div", { class: "row" }, element("h2", {}, "Output"), spacer, status, cancel),
      problem,
      output.view,
      timing,
      logsBox,
    ),
    output,
    cancel,
    say,
    setStatus: (text) => (status.textContent = text),
    setRunning(isRunning) {
      cancel.hidden = !isRunning;
      output.view.setAttribute("aria-busy", String(isRunning));
    },
    clear() {
      output.clear();
      fill(timing);
      fill(logs);
      logsBox.hidden = true;
    },
    showLogs(text) {
      if (typeof text !== "string" || text === "") return;
      logsBox.hidden = false;
      logs.textContent = text;
    },
    showOutcome({ prediction, start, ...times }, { isText }) {
      fill(timing, timingView(start, factsOf(prediction.metrics ?? {}, times)));
      const { status: state, error } = prediction;
      status.textContent = { succeeded: "Done", canceled: "Canceled" }[state] ?? "Failed";
      const hasOutput = prediction.output !== null && prediction.output !== undefined;
      // Of a text that broke off stays what has come.
      if (state === "succeeded" || (hasOutput && !isText))
        output.show(prediction.output, { isText });
      if (state === "failed" || state === "aborted") say(String(error ?? "The prediction failed."));
    },
  };
}

function factsOf({ predict_time: seconds, output_tokens: tokens }, { totalMs, firstMs }) {
  const facts = [["Total", formatMs(totalMs)]];
  if (firstMs !== undefined) facts.push(["First output", formatMs(firstMs)]);
  if (typeof seconds === "number") facts.push(["Prediction", formatMs(seconds * 1000)]);
  if (typeof tokens === "number") facts.push(["Tokens", String(tokens)]);
  return facts;
}
