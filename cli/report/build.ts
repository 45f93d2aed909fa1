import type { BuilderEvent } from "../../builder/index.ts";
import type { RegistryEvent } from "../../registry-client/index.ts";
import { formatBytes, formatDuration, type Output } from "../output.ts";

/** A build as lines on stderr: one when a step starts and one when it ends; cached work says so. */
export function createBuildReporter(output: Output): (event: BuilderEvent) => void {
  return (event) => {
    const line = renderBuildEvent(event);
    if (line !== undefined) output.note(line);
  };
}

function renderBuildEvent(event: BuilderEvent): string | undefined {
  switch (event.type) {
    case "base-image-pull-start":
      return `base image: pulling ${event.reference}`;
    case "environment-wait":
      return `environment: another build of ${event.reference} is under way, waiting`;
    case "environment-start":
      return `environment: building ${event.reference}`;
    case "environment-step-start":
      return `  ${event.name}`;
    case "environment-step-log":
      return (
        event.text
          .split("\n")
          .filter((line) => line.trim() !== "")
          .map((line) => `    ${line.trimEnd()}`)
          .join("\n") || undefined
      );
    case "environment-step-end":
      return event.isCached
        ? `  ${event.name}: cached`
        : `  ${event.name}: ${formatDuration(event.ms)}`;
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
