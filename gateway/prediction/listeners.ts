import type { DetachPolicy } from "../route/policy.ts";
import type { RunRequest } from "./run.ts";

/** What the caller says, else its route, else the gateway's grace; what is accepted goes on for nobody in particular. */
export function detachPolicyOf(
  { isDetached, overrides, policy }: Pick<RunRequest, "isDetached" | "overrides" | "policy">,
  graceMs: number,
): DetachPolicy {
  if (isDetached) return { kind: "always" };
  return overrides?.detach ?? policy?.detach ?? { kind: "grace", ms: graceMs };
}

export interface ListenersOptions {
  readonly policy: DetachPolicy;
  /** Nobody listens any more and nobody came back in time. */
  readonly onAbandon: () => void;
  /** The run goes on for nobody; false: somebody came back. */
  readonly onOrphan: (isOrphan: boolean) => void;
}

/** Who reads along with a run, and what becomes of it when nobody does. */
export class Listeners {
  readonly #options: ListenersOptions;
  #count = 0;
  #isOver = false;
  #isOrphan = false;
  #grace: NodeJS.Timeout | undefined;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** Registers one; returns what to call when it leaves. */
  attach(): () => void {
    this.#count += 1;
    clearTimeout(this.#grace);
    this.#mark(false);
    let isAttached = true;
    return () => {
      if (!isAttached) return;
      isAttached = false;
      this.#count -= 1;
      if (this.#count === 0 && !this.#isOver) this.#leftAlone();
    };
  }

  /** The run has ended: whoever leaves now leaves nothing behind. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#grace);
    this.#mark(false);
  }

  #leftAlone(): void {
    const { policy, onAbandon } = this.#options;
    if (policy.kind === "never") {
      onAbandon();
      return;
    }
    this.#mark(true);
    if (policy.kind === "grace") this.#grace = setTimeout(onAbandon, policy.ms);
  }

  #mark(isOrphan: boolean): void {
    if (this.#isOrphan === isOrphan) return;
    this.#isOrphan = isOrphan;
    this.#options.onOrphan(isOrphan);
  }
}
