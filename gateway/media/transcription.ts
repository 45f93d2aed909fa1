import type { CatalogEntry } from "../catalog/entry.ts";
import { outputText } from "../catalog/schema.ts";
import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";
import { assertServes, ModelInputs } from "./inputs.ts";
import { answerOf } from "./output.ts";

const names = {
  audio: ["audio", "file", "audio_file", "input_audio", "audio_path", "audio_url", "input"],
  language: ["language", "source_language", "lang"],
  prompt: ["prompt", "initial_prompt"],
  temperature: ["temperature"],
  timestamps: ["timestamps", "timestamp", "timestamp_granularities", "return_timestamps"],
  wordTimestamps: ["word_timestamps", "return_word_timestamps"],
  translate: ["translate", "translation"],
  task: ["task"],
} as const;

/** A request for the text of a sound, in OpenAI's words. */
export interface TranscriptionParameters {
  /** Data URI. */
  readonly audio: string;
  /** Into English; otherwise in the language that is spoken. */
  readonly isTranslation: boolean;
  readonly language?: unknown;
  readonly prompt?: unknown;
  readonly temperature?: unknown;
  /** The finest times that are wanted. */
  readonly timestamps: "none" | "segment" | "word";
  /** Whatever else the caller says, for inputs of the same name. */
  readonly rest?: Readonly<Record<string, unknown>>;
}

/**
 * The prediction that writes down a sound.
 * @throws `GatewayError`: `invalid_request`, `unsupported_parameter`
 */
export function transcriptionInput(
  entry: CatalogEntry,
  parameters: TranscriptionParameters,
): Readonly<Record<string, unknown>> {
  assertServes(entry, {
    format: "transcriptions",
    tasks: ["automatic-speech-recognition"],
    what: "a speech recognition model",
  });
  const inputs = new ModelInputs(entry);
  if (!inputs.put(names.audio, parameters.audio)) throw inputs.unsupported("file", "a sound");
  const { language, prompt, temperature } = parameters;
  inputs.pass({ name: "language", value: language, names: names.language });
  inputs.pass({ name: "prompt", value: prompt, names: names.prompt, neutral: [""] });
  inputs.pass({
    name: "temperature",
    value: temperature,
    names: names.temperature,
    neutral: [0, "0"],
  });
  passTimestamps(inputs, parameters.timestamps);
  if (parameters.isTranslation) passTranslation(inputs);
  inputs.passRest(parameters.rest ?? {}, new Set());
  return inputs.input;
}

/** Models without a switch give what times they have; whether that is enough shows when the answer is written. */
function passTimestamps(inputs: ModelInputs, wanted: TranscriptionParameters["timestamps"]): void {
  if (wanted === "none") return;
  const name = inputs.nameOf(names.timestamps);
  if (name !== undefined) {
    const types = inputs.typesOf(name);
    const choices = inputs.choicesOf(name) ?? [];
    if (types.has("boolean")) inputs.set(name, true);
    else if (types.has("array")) inputs.set(name, [wanted]);
    else if (wanted === "segment" && choices.includes("chunk")) inputs.set(name, "chunk");
    else inputs.set(name, wanted);
  }
  const wordName = inputs.nameOf(names.wordTimestamps);
  if (wanted === "word" && wordName !== undefined) inputs.set(wordName, true);
}

function passTranslation(inputs: ModelInputs): void {
  const taskName = inputs.nameOf(names.task);
  if (taskName !== undefined && inputs.choicesOf(taskName)?.includes("translate") === true) {
    inputs.set(taskName, "translate");
    return;
  }
  const name = inputs.nameOf(names.translate);
  if (name === undefined || !inputs.typesOf(name).has("boolean")) {
    throw new GatewayError(
      "unsupported_parameter",
      `${inputs.entry.id} does not translate: it has no input for that (translate, task).`,
      { parameter: "model", hint: "Call /v1/audio/transcriptions." },
    );
  }
  inputs.set(name, true);
}

/** What was said, as a model tells it. */
export interface Transcript {
  readonly text: string;
  readonly language?: string;
  /** Seconds. */
  readonly duration?: number;
  readonly segments: readonly Segment[];
  readonly words: readonly Word[];
}

export interface Segment {
  /** Seconds from the beginning. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** What else the model says of it (`avg_logprob`, `tokens`, …). */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Word {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** Reads a text, or an object with `text` and, where the model has them, `segments` or `chunks`, `words`, `language`. */
export function readTranscript(entry: CatalogEntry, output: unknown): Transcript {
  const answer = answerOf(entry, output);
  const facts = isObject(output) ? output : {};
  const said = isObject(answer) ? answer : {};
  const segments = listOf(said, facts, ["segments", "chunks"]).flatMap(readSegment);
  const words = [
    ...listOf(said, facts, ["words"]),
    ...segments.flatMap(({ facts: more }) => (Array.isArray(more["words"]) ? more["words"] : [])),
  ].flatMap(readWord);
  const language = textOf(facts, ["language", "detected_language", "language_code"]);
  const { duration } = facts;
  const length = typeof duration === "number" ? duration : lastEnd([...segments, ...words]);
  return {
    text: transcriptText(entry, answer, segments),
    ...(language === undefined ? {} : { language }),
    ...(length === undefined ? {} : { duration: length }),
    segments: segments.length > 0 ? segments : segmentsOf(words),
    words,
  };
}

function transcriptText(
  entry: CatalogEntry,
  answer: unknown,
  segments: readonly Segment[],
): string {
  if (isObject(answer)) {
    const text = textOf(answer, ["text", "transcription", "transcript", "translation"]);
    if (text !== undefined) return text;
  } else if (Array.isArray(answer) && answer.some(isObject)) {
    const read = answer.flatMap(readSegment);
    if (read.length > 0) return joined(read);
  } else {
    return outputText(entry, answer);
  }
  if (segments.length > 0) return joined(segments);
  throw new GatewayError("upstream_failed", `${entry.id} answered without a text.`, {
    hint: "Where the text lies deeper, name its place in byom.yaml: `mapping: { output: data.text }`.",
  });
}

function joined(segments: readonly Segment[]): string {
  return segments.map(({ text }) => text.trim()).join(" ");
}

function listOf(
  said: Readonly<Record<string, unknown>>,
  facts: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): readonly unknown[] {
  for (const source of [said, facts]) {
    for (const key of keys) {
      const value = source[key];
      if (Array.isArray(value)) return value;
    }
  }
  return [];
}

function readSegment(value: unknown): readonly Segment[] {
  if (!isObject(value)) return [];
  const { text, start: _start, end: _end, timestamp: _timestamp, ...facts } = value;
  const times = timesOf(value);
  return typeof text === "string" && times !== undefined ? [{ ...times, text, facts }] : [];
}

function readWord(value: unknown): readonly Word[] {
  if (!isObject(value)) return [];
  const word = textOf(value, ["word", "text"]);
  const times = timesOf(value);
  return word !== undefined && times !== undefined ? [{ word: word.trim(), ...times }] : [];
}

/** `start` and `end`, or both in `timestamp` as the transformers library writes them. */
function timesOf(
  value: Readonly<Record<string, unknown>>,
): { readonly start: number; readonly end: number } | undefined {
  const { timestamp } = value;
  const [start, end] = Array.isArray(timestamp) ? timestamp : [value["start"], value["end"]];
  if (typeof start !== "number") return undefined;
  return { start, end: typeof end === "number" ? end : start };
}

function textOf(
  value: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): string | undefined {
  return keys.map((key) => value[key]).find((text) => typeof text === "string");
}

function lastEnd(parts: readonly { readonly end: number }[]): number | undefined {
  return parts.length === 0 ? undefined : Math.max(...parts.map(({ end }) => end));
}

/** A subtitle holds about this many words. */
const wordsPerSegment = 10;

/** Lines out of words, for a model that times words only: to the end of a sentence, or as many as one reads at once. */
function segmentsOf(words: readonly Word[]): readonly Segment[] {
  const segments: Segment[] = [];
  let line: Word[] = [];
  for (const word of words) {
    line.push(word);
    const isLast = words.at(-1) === word;
    if (line.length < wordsPerSegment && !/[.!?]$/.test(word.word) && !isLast) continue;
    segments.push({
      start: line[0]?.start ?? 0,
      end: word.end,
      text: line.map((item) => item.word).join(" "),
      facts: {},
    });
    line = [];
  }
  return segments;
}
