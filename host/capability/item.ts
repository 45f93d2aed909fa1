/** One thing that was looked at. `warn`: works with less; `missing`: not there. */
export interface HostCheckItem {
  readonly name: string;
  readonly status: "ok" | "warn" | "missing";
  readonly detail: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A way in which an instance can come up here, or what it would take. */
export interface StartMode {
  readonly mode: "cold" | "paused" | "restored";
  readonly isPossible: boolean;
  /** Why not, and what it would take. */
  readonly reason?: string;
}

/** What this host can do. */
export interface HostCheckReport {
  readonly items: readonly HostCheckItem[];
  readonly startModes: readonly StartMode[];
}

export function ok(name: string, detail: string): HostCheckItem {
  return { name, status: "ok", detail };
}

export function warn(name: string, detail: string, hint?: string): HostCheckItem {
  return { name, status: "warn", detail, ...(hint === undefined ? {} : { hint }) };
}

export function missing(name: string, detail: string, hint: string): HostCheckItem {
  return { name, status: "missing", detail, hint };
}
