import { SnapshotError } from "../errors.ts";

/** A capture that failed for one of these reasons may succeed a moment later. */
const passingReasons: readonly RegExp[] = [
  /could not be frozen|unable to freeze/i,
  // A connection was being opened or closed while CRIU looked.
  /half-?closed|in-?flight|SYN|FIN_WAIT|CLOSE_WAIT|LAST_ACK|a caller's/,
  /Timeout|temporarily unavailable|Device or resource busy|EAGAIN|EBUSY/i,
  // A process ended between the list and the look.
  /No such process|ESRCH|can't seize|Unable to attach|unexpectedly (?:died|exited)/i,
];

/** Not a moment later, but without any change of the model: when there is room again. */
const resourceReasons: readonly RegExp[] = [/No space left|ENOSPC|the disk lacks|Cannot allocate/i];

export type CaptureFailureKind = "passing" | "resource" | "permanent";

/** How hopeful another try is. Pure. */
export function classifyFailure(error: unknown): CaptureFailureKind {
  if (!(error instanceof SnapshotError) || error.code !== "snapshot_capture_failed") {
    return "permanent";
  }
  if (resourceReasons.some((reason) => reason.test(error.message))) return "resource";
  return passingReasons.some((reason) => reason.test(error.message)) ? "passing" : "permanent";
}
