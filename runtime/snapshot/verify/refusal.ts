import { SnapshotError } from "../../errors.ts";

/** A snapshot that asks for what its container does not have, or is not whole. @throws SnapshotError always */
export function refuse(reason: string): never {
  throw new SnapshotError("snapshot_refused", reason, {
    hint: "do not use it: remove it where it came from, and let this platform capture its own",
  });
}

/** What came from a snapshot, short and without control characters, to be shown to a reader. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
