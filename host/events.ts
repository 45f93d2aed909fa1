/** One thing that set-up will do: computed first, printed by `--dry-run`, then performed. */
export interface HostStep {
  readonly id: HostStepId;
  /** What is done: `install Docker Engine from Debian's packages`. */
  readonly what: string;
  /** Why it is needed: `no container engine answers`. */
  readonly why: string;
  /** The command that does it, or an equivalent that a person could type. */
  readonly command: string;
}

export type HostStepId =
  | "engine-install"
  | "engine-start"
  | "criu"
  | "oci-runtime"
  | "registry"
  | "base-image";

/** Something that set-up leaves as it is, and what it would take. */
export interface HostNote {
  readonly message: string;
  readonly hint: string;
}

/** Progress of a set-up. */
export type HostEvent =
  | {
      readonly type: "step-start";
      readonly step: HostStep;
      readonly number: number;
      readonly count: number;
    }
  /** One line that a command of the step printed. */
  | { readonly type: "step-output"; readonly id: HostStepId; readonly line: string }
  | {
      readonly type: "step-end";
      readonly step: HostStep;
      readonly result: string;
      readonly elapsedMs: number;
    }
  | { readonly type: "note"; readonly note: HostNote };
