import { GatewayError } from "../../errors.ts";

/** Something wrong in a route or a limit, with the place where it stands, such as `models.1.when.metadata.plan`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** A sentence that names more than these is not read. */
const problemsShownMax = 20;

/** @throws `GatewayError` `invalid_request` that names every problem with its path */
export function assertNone(problems: readonly Problem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const shown = problems.slice(0, problemsShownMax).map(say);
  const others = problems.length - shown.length;
  throw new GatewayError(
    "invalid_request",
    shown.join("; ") + (others > 0 ? `; and ${others} more` : ""),
    { parameter: first.path === "" ? "body" : first.path },
  );
}

export function say({ path, message }: Problem): string {
  return `${path === "" ? "body" : path}: ${message}`;
}

/** The path of a part of a value. */
export function under(path: string, name: string | number): string {
  return path === "" ? String(name) : `${path}.${name}`;
}
