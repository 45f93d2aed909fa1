import type { GatewayEvent } from "../../gateway/index.ts";
import type { RuntimeEvent } from "../../runtime/index.ts";
import type { Output } from "../output.ts";

/** What happens in the platform as log lines: time, event, and its facts as `name=value`. */
export function createPlatformLog(output: Output): (event: RuntimeEvent | GatewayEvent) => void {
  return (event) => {
    const { type, ...facts } = event;
    const text = Object.entries(facts)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${renderFact(value)}`)
      .join(" ");
    output.note(`${new Date().toISOString()} ${type} ${text}`);
  };
}

function renderFact(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.stack ?? value.message);
  if (typeof value === "string") return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value);
}
