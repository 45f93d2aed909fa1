import type { BuilderEvent } from "../../builder/index.ts";
import type { RegistryEvent } from "../../registry-client/index.ts";
import { formatBytes, formatDuration, type Output } from "../output.ts";

/**
 * A build as lines on stderr: one for each step when it ends, with its time. With `isVerbose` also what the steps print;
 * without it the last lines of a step that fails are in the error.
 */
export function createBuildReporter(
  output: Output,
  isVerbose: boolean,
): (event: BuilderEvent) => void {
  return (event) => {
    const line = renderBuildEvent(event, isVerbose);
    if (line !== undefined) output.note(line);
  };
}

function renderBuildEvent(event: BuilderEvent, isVerbose: boolean): string | undefined {
  switch (event.type) {
    case "base-image-pull-start":
      return `base image: pulling ${event.reference}`;
    case "environment-wait":
      return `environment: another build of ${event.reference} is under way, waiting`;
    case "environment-start":
      return `environment: building ${event.reference}`;
    case "environment-step-start":
      return isVerbose ? `  ${event.name}` : undefined;
    case "environment-step-log":
      return isVerbose ? indent(event.text) : undefined;
    case "environment-step-end":
      return `  ${summarizeStep(event.name)}: ${event.isCached ? "cached" : formatDuration(event.ms)}`;
    case "environment-end":
      return event.isCached
        ? "environment: unchanged"
        : `environment: built in ${formatDuration(event.ms)}`;
    case "layer-hash-end":
      return `layer ${event.layer}: hashed in ${formatDuration(event.ms)}`;
    case "image-load-end":
      return event.isCached
        ? "image: unchanged"
        : `image: loaded into the engine in ${formatDuration(event.ms)}`;
    case "schema-ask-start":
      return `inputs and outputs: asking the image for ${event.questions.join(", ")}`;
    case "schema-ask-end":
      return event.failures.length === 0
        ? `inputs and outputs: answered in ${formatDuration(event.ms)}`
        : `inputs and outputs: the image cannot say: ${event.failures.join("; ")}`;
    case "environment-export-start":
      return "environment: leaving the engine for the registry, once";
    case "environment-export-end":
      return `environment: exported in ${formatDuration(event.ms)}`;
    case "image-push-end":
      return `pushed ${event.reference} in ${formatDuration(event.ms)}`;
    default:
      return undefined;
  }
}

/** Uploads as lines on stderr. */
export function createUploadReporter(output: Output): (event: RegistryEvent) => void {
  return (event) => {
    if (event.type === "layer-upload-end" && event.how !== "skipped") {
      output.note(`  ${event.digest.slice(0, 19)} ${formatBytes(event.sizeBytes)} ${event.how}`);
    }
  };
}

function indent(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.length === 0 ? undefined : lines.map((line) => `    ${line.trimEnd()}`).join("\n");
}

/** A step's name is its whole Dockerfile instruction; a person wants the command, in one line of a terminal. */
const stepLengthMax = 90;

function summarizeStep(name: string): string {
  const oneLine = name.replaceAll(/\s+/g, " ");
  const [, stage = "", rest = oneLine] = /^(\[[^\]]*\] )?(.*)$/.exec(oneLine) ?? [];
  const command = rest.replaceAll(/--mount=\S+ /g, "");
  const install = /(?:apt-get|pip) (?:-\S+ \S+ )*install [^&;]*/.exec(command)?.[0];
  // Of an install, the packages matter: its options are the same every time.
  const summary = (install?.replaceAll(/ -(?!r )\S+(?: \S+::\S+)?/g, "") ?? command).trim();
  const text = `${stage}${summary}`;
  return text.length <= stepLengthMax ? text : `${text.slice(0, stepLengthMax - 1)}…`;
}
