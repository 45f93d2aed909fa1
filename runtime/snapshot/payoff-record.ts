import { timestamp, type Clock } from "../clock.ts";
import type { StartStore } from "../store/starts.ts";
import {
  judge,
  timingsKept,
  type Payoff,
  type PayoffSubject,
  type PayoffVerdict,
  type StartTiming,
  type StartWatch,
} from "./payoff.ts";

/** The record of starts in the platform's store. A record that cannot be written costs a measurement, never a start. */
export function createPayoff(options: {
  readonly starts: StartStore;
  readonly clock: Clock;
}): Payoff {
  return new RecordedPayoff(options.starts, options.clock);
}

interface UnderWay {
  isShared: boolean;
}

class RecordedPayoff implements Payoff {
  readonly #starts: StartStore;
  readonly #clock: Clock;
  readonly #underWay = new Set<UnderWay>();

  constructor(starts: StartStore, clock: Clock) {
    this.#starts = starts;
    this.#clock = clock;
  }

  begin(subject: PayoffSubject): StartWatch {
    const own: UnderWay = { isShared: this.#underWay.size > 0 };
    for (const other of this.#underWay) other.isShared = true;
    this.#underWay.add(own);
    return {
      end: (timing) => {
        if (!this.#underWay.delete(own) || timing === undefined) return;
        try {
          const { isShared } = own;
          this.record(subject, { ...timing, at: timestamp(this.#clock), isShared });
        } catch {
          // The store is closed, or the disk is full.
        }
      },
    };
  }

  record(subject: PayoffSubject, timing: StartTiming): void {
    const { mode, ms, at, snapshotId, isShared = false } = timing;
    if (!isShared) this.#starts.add(subject, { mode, ms, at }, timingsKept);
    if (mode !== "restored" || snapshotId === undefined) return;
    const { coldMs } = this.verdict(subject);
    const savedMs = coldMs === undefined ? 0 : coldMs - ms;
    this.#starts.addUse({ ...subject, snapshotId, savedMs, lastRestoredAt: at });
  }

  verdict(subject: PayoffSubject): PayoffVerdict {
    const uses = this.#starts.usesOf(subject);
    return judge(
      {
        cold: this.#starts.list(subject, "cold"),
        restored: this.#starts.list(subject, "restored"),
        restores: uses.reduce((sum, use) => sum + use.restores, 0),
        savedMs: uses.reduce((sum, use) => sum + use.savedMs, 0),
      },
      this.#clock.now(),
    );
  }

  captured(subject: PayoffSubject, snapshotId: string): void {
    this.#starts.forget(subject, ["restored"]);
    this.#starts.addSnapshot(subject, snapshotId);
  }

  forget(subject: PayoffSubject): void {
    this.#starts.forget(subject, ["cold", "restored"]);
  }
}
