/** What a token may do: `repository:NAME:ACTIONS` (distribution, "Token Scope Documentation"). */
export interface Scope {
  readonly repository: string;
  readonly actions: readonly ("pull" | "push" | "delete")[];
}

export function pullScope(repository: string): Scope {
  return { repository, actions: ["pull"] };
}

export function pushScope(repository: string): Scope {
  return { repository, actions: ["pull", "push"] };
}

export function formatScope(scope: Scope): string {
  return `repository:${scope.repository}:${scope.actions.join(",")}`;
}

/**
 * The scopes to ask a token server for. The one that the challenge names comes first, because some servers
 * read only the first; ours that it already covers are left out.
 */
export function mergeScopes(wanted: readonly Scope[], challenged: string | undefined): string[] {
  const demanded = (challenged ?? "").split(" ").filter((scope) => scope !== "");
  const ours = wanted
    .map(formatScope)
    .filter((scope) => !demanded.some((other) => covers(other, scope)));
  return [...demanded, ...ours];
}

function covers(wider: string, narrower: string): boolean {
  const [widerName, widerActions] = splitActions(wider);
  const [narrowerName, narrowerActions] = splitActions(narrower);
  return (
    widerName === narrowerName && narrowerActions.every((action) => widerActions.includes(action))
  );
}

function splitActions(scope: string): [string, string[]] {
  const colon = scope.lastIndexOf(":");
  return [scope.slice(0, colon), scope.slice(colon + 1).split(",")];
}
