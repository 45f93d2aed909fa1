/**
 * A value that a model needs at run time and nobody may read back: an access token, a database password. Named by the
 * model (`owner/name`) it belongs to.
 */
export interface Secret {
  readonly modelId: string;
  /** As an environment variable is named: `HF_TOKEN`. */
  readonly name: string;
  /**
   * `run`: only given after the start, through a file; no snapshot ever holds it.
   * `setup`: also in the environment of a cold start, because setup() needs it; snapshots made then are marked as
   * holding it, and never pushed.
   */
  readonly scope: "run" | "setup";
  /** ISO 8601. */
  readonly createdAt: string;
}

/** The secrets of this platform's models, encrypted at rest. Synchronous and cheap. */
export interface SecretStore {
  set(secret: Pick<Secret, "modelId" | "name" | "scope">, value: string): void;
  remove(modelId: string, name: string): boolean;
  list(modelId?: string): readonly Secret[];
  /** Values by name, of one scope or of both. */
  values(modelId: string, scope?: Secret["scope"]): Readonly<Record<string, string>>;
  /** Differs when a value of scope `setup` does, and tells nothing of it without the platform's key; undefined: none. */
  digest(modelId: string): string | undefined;
}
