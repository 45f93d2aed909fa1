/** What a key may do: `admin` everything, `deploy` push and deploy, `call` predictions only. */
export type Scope = "admin" | "deploy" | "call";

export interface KeyIdentity {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Model ids that it may call, `owner/*` and `*` allowed; absent: all. */
  readonly models?: readonly string[];
}

/** Looks a presented secret up by its hash; held in memory, so that no call waits for a database. */
export interface Keys {
  verify(secret: string): KeyIdentity | undefined;
  /** For a secret that `verify` refused: when its time was over (ISO 8601), if that is the reason. */
  expiredAt?(secret: string): string | undefined;
}
