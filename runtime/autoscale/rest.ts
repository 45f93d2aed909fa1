import type { Deployment } from "../deployment/deployment.ts";

/** An instance may rest when it has been idle long enough and more than the minimum of its version are live. */
export function mayRest(facts: {
  readonly deployment: Deployment | undefined;
  readonly version: number;
  /** Live instances of the version, this one among them. */
  readonly live: number;
  readonly idleMs: number;
}): boolean {
  const { deployment, version, live, idleMs } = facts;
  if (deployment === undefined) return true;
  const { min, idleTimeoutMs } = deployment.scaling;
  if (idleMs < idleTimeoutMs) return false;
  const isWanted = deployment.traffic.some((share) => share.version === version);
  return live > (isWanted ? min : 0);
}
