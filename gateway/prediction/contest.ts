import { GatewayError } from "../errors.ts";
import type { LegRun } from "./leg-run.ts";

/** Two or more legs of one run at the same time: the first to answer goes on alone. */
export class Contest {
  readonly #legs = new Set<LegRun>();
  #winner: LegRun | undefined;

  enter(leg: LegRun): void {
    this.#legs.add(leg);
  }

  get winner(): LegRun | undefined {
    return this.#winner;
  }

  /** The first leg to have something to say; the others end. */
  claim(leg: LegRun): void {
    this.#winner = leg;
    for (const other of this.#legs) if (other !== leg) other.abandon(slower());
  }

  /** Asks all that run to stop. */
  cancelAll(): void {
    for (const leg of this.#legs) leg.cancelUpstream();
  }
}

function slower(): GatewayError {
  return new GatewayError("canceled", "Another upstream was faster.");
}
