import type { EventLog } from "../stream/event-log.ts";

/** A whole answer in a provider's shape, out of its run's log. */
export async function collectRaw(log: EventLog, signal: AbortSignal): Promise<Buffer> {
  let parts: Buffer[] = [];
  for await (const batch of log.read({ from: 0, signal })) {
    for (const { kind, data } of batch) {
      if (kind === "restart") parts = [];
      if (kind === "raw") parts.push(data);
    }
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}
