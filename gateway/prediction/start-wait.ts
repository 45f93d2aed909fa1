import type { WaitPhase } from "../upstream/upstream.ts";

interface Waiting {
  readonly phase: WaitPhase;
  /** On the clock that never jumps. */
  readonly startedAt: number;
}

/** What a caller waits for until an instance serves it: for comments on its stream, and for headers. */
export class StartWait {
  #startedAt: number | undefined;
  #endedAt: number | undefined;
  #current: Waiting | undefined;
  #past: { readonly name: string; readonly ms: number }[] = [];
  #listeners: Set<() => void> | undefined;

  /** Something else is waited for now. */
  note(phase: WaitPhase): void {
    const now = performance.now();
    this.#startedAt ??= now;
    this.#endedAt = undefined;
    this.#close(now);
    this.#current = { phase, startedAt: now };
    for (const listener of this.#listeners ?? []) listener();
  }

  /** An instance serves the caller, or the wait was given up. */
  end(): void {
    if (this.#startedAt === undefined || this.#endedAt !== undefined) return;
    this.#endedAt = performance.now();
    this.#close(this.#endedAt);
  }

  /** Calls at every change until what it returns is called; must not throw. */
  subscribe(listener: () => void): () => void {
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
    return () => this.#listeners?.delete(listener);
  }

  /** For a silent stream: `queued; ms=120`, `starting; mode=cold; step=setup; ms=5200`; undefined when it is over. */
  comment(): string | undefined {
    if (this.#current === undefined || this.#startedAt === undefined) return undefined;
    const { phase } = this.#current;
    const ms = Math.round(performance.now() - this.#startedAt);
    if (phase.state === "queued") return `queued; ms=${ms}`;
    const mode = phase.mode === undefined ? "" : `; mode=${phase.mode}`;
    return `starting${mode}; step=${phase.step}; ms=${ms}`;
  }

  /** `x-byom-wait-ms`, and the same by what was waited for, in the form of Server-Timing; nothing for who did not wait. */
  headers(): Record<string, string> {
    if (this.#startedAt === undefined) return {};
    const ms = (this.#endedAt ?? performance.now()) - this.#startedAt;
    const phases = this.#past.map(({ name, ms: dur }) => `${name};dur=${rounded(dur)}`);
    return {
      "x-byom-wait-ms": rounded(ms),
      ...(phases.length > 0 && { "x-byom-wait": phases.join(", ") }),
    };
  }

  #close(now: number): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined || this.#past.length >= phasesMax) return;
    this.#past.push({ name: nameOf(current.phase), ms: now - current.startedAt });
  }
}

/** A start has some six steps; what goes on and on is no news. */
const phasesMax = 32;

function nameOf(phase: WaitPhase): string {
  if (phase.state === "queued") return "queued";
  return phase.mode === undefined ? phase.step : `${phase.mode}-${phase.step}`;
}

function rounded(ms: number): string {
  return String(Math.round(ms * 10) / 10);
}
