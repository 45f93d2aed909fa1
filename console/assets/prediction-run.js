import { cancelPrediction, createPrediction, getPrediction, streamPrediction } from "./api.js";
import { readEvents } from "./event-stream.js";

/** Between two looks at a running prediction, for its logs and state. */
const lookEveryMs = 1000;
/** The first look comes sooner: most predictions of small models are over by then. */
const firstLookMs = 150;
const finalStates = new Set(["succeeded", "failed", "canceled", "aborted"]);

/**
 * Begins a prediction and follows it. `onText` gets the pieces of a text output as they come, `onLook` the prediction as
 * it stands. `outcome` resolves with its last state, how its instance started, and when the first output came.
 */
export function runPrediction({ model, input, isText, onText, onLook }) {
  const stop = new AbortController();
  const startedAt = performance.now();
  let id;
  let firstMs;
  let lookNow;

  async function follow() {
    const created = await createPrediction({ model, input, signal: stop.signal });
    id = created.id;
    const looking = look();
    if (isText) await readText();
    return { ...(await looking), firstMs, totalMs: performance.now() - startedAt };
  }

  async function readText() {
    try {
      const response = await streamPrediction(id, { signal: stop.signal });
      for await (const { event, data } of readEvents(response)) {
        if (event === "output") {
          firstMs ??= performance.now() - startedAt;
          onText(data);
        } else if (event === "done") {
          lookNow?.();
          return;
        }
      }
    } catch (error) {
      // A stream that breaks is no failure: the prediction goes on, and its record has the whole output.
      if (stop.signal.aborted) throw error;
    }
  }

  async function look() {
    for (let looks = 0; ; looks += 1) {
      const state = await getPrediction(id, { signal: stop.signal });
      onLook(state.prediction);
      if (finalStates.has(state.prediction.status)) return state;
      await new Promise((resolve) => {
        // The end of a stream and a cancel make the next look come at once.
        lookNow = resolve;
        setTimeout(resolve, looks === 0 ? firstLookMs : lookEveryMs);
      });
    }
  }

  return {
    outcome: follow(),
    startedAt,
    /** Whether it was given up here, without the platform's word. */
    isStopped: () => stop.signal.aborted,
    stop: () => stop.abort(),
    async cancel() {
      if (id === undefined) {
        stop.abort();
        return;
      }
      try {
        await cancelPrediction(id);
        lookNow?.();
      } catch {
        stop.abort();
      }
    },
  };
}
