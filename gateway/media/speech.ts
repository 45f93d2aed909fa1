import type { CatalogEntry } from "../catalog/entry.ts";
import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";
import { assertServes, ModelInputs } from "./inputs.ts";
import type { FileContent } from "./output.ts";

const names = {
  text: ["text", "input", "prompt", "gen_text", "text_input"],
  voice: ["voice", "speaker", "voice_id", "speaker_id", "speaker_name"],
  format: ["format", "response_format", "output_format", "audio_format"],
  speed: ["speed", "speaking_rate", "speech_rate", "rate"],
  instructions: ["instructions", "style_instructions", "style_prompt", "caption"],
} as const;

/** A request for speech, in OpenAI's words. */
export interface SpeechParameters {
  readonly text: string;
  readonly voice?: unknown;
  readonly format?: unknown;
  readonly speed?: unknown;
  readonly instructions?: unknown;
  /** Whatever else the caller says, for inputs of the same name. */
  readonly rest?: Readonly<Record<string, unknown>>;
}

/** OpenAI's clients cannot leave the voice out; these are for a model that has only one. */
const anyVoice = ["alloy", "default"];

/** OpenAI's names of formats, and the types under which they come. */
const typesByFormat: Readonly<Record<string, readonly string[]>> = {
  mp3: ["audio/mpeg"],
  opus: ["audio/ogg", "audio/opus"],
  aac: ["audio/aac"],
  flac: ["audio/flac"],
  wav: ["audio/wav"],
  pcm: ["audio/pcm", "audio/l16", "application/octet-stream"],
};

/**
 * The prediction that speaks a text.
 * @throws `GatewayError`: `invalid_request`, `unsupported_parameter`
 */
export function speechInput(
  entry: CatalogEntry,
  parameters: SpeechParameters,
): Readonly<Record<string, unknown>> {
  assertServes(entry, { format: "speech", tasks: ["text-to-speech"], what: "a speech model" });
  const inputs = new ModelInputs(entry);
  if (!inputs.put(names.text, parameters.text)) throw inputs.unsupported("input", "a text");
  const { voice, format, speed, instructions } = parameters;
  inputs.pass({
    name: "voice",
    value: isObject(voice) ? voice["id"] : voice,
    names: names.voice,
    neutral: anyVoice,
  });
  // A model that cannot choose may still speak in the format that is asked for; `assertFormat` looks at what it gave.
  if (isAsked(format)) inputs.put(names.format, checkedFormat(format));
  inputs.pass({ name: "speed", value: speed, names: names.speed, neutral: [1] });
  inputs.pass({
    name: "instructions",
    value: instructions,
    names: names.instructions,
    neutral: [""],
  });
  inputs.passRest(parameters.rest ?? {}, new Set());
  return inputs.input;
}

/** @throws `GatewayError` `unsupported_parameter` when the model gave another format than was asked for */
export function assertFormat(entry: CatalogEntry, format: unknown, file: FileContent): void {
  if (!isAsked(format)) return;
  const name = typeof format === "string" ? format : JSON.stringify(format);
  if (typesByFormat[name]?.includes(file.contentType) === true) return;
  throw new GatewayError(
    "unsupported_parameter",
    `${entry.id} speaks ${file.contentType}, not ${name}.`,
    { parameter: "response_format", hint: "Leave response_format out to get it as it is." },
  );
}

/** Kinds whose files may follow each other in one stream; others have one head for the whole. */
const joinableTypes: ReadonlySet<string> = new Set([
  "audio/mpeg",
  "audio/aac",
  "audio/ogg",
  "audio/pcm",
  "audio/l16",
]);

/** Whether a second piece of this type may follow the first one as it is. */
export function isJoinable(contentType: string): boolean {
  return joinableTypes.has(contentType);
}

function isAsked(format: unknown): boolean {
  return format !== undefined && format !== null;
}

function checkedFormat(format: unknown): string {
  if (typeof format === "string" && Object.hasOwn(typesByFormat, format)) return format;
  throw new GatewayError(
    "invalid_request",
    `response_format must be one of ${Object.keys(typesByFormat).join(", ")}.`,
    { parameter: "response_format" },
  );
}
