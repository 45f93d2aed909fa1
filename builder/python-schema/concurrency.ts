import { createScope } from "./evaluate.ts";
import type { ProblemList } from "./problems.ts";
import type { PythonRepository } from "./repository.ts";
import { Unresolved } from "./scope.ts";
import { childrenOf, fieldOf, fieldTextOf } from "./syntax.ts";
import { type Target, cogDecoratorOf, isAsync } from "./target.ts";

/** The limit of `@cog.concurrent(max=…)`, 1 for a bare decorator; undefined without one. More than 1 needs `async def`. */
export function concurrencyOf({
  repository,
  target,
  problems,
}: {
  readonly repository: PythonRepository;
  readonly target: Target;
  readonly problems: ProblemList;
}): number | undefined {
  const decorator = cogDecoratorOf({ repository, target, name: "concurrent" });
  if (decorator === undefined) return undefined;
  const { module } = target;
  const add = (message: string, hint: string): void => {
    problems.add({ severity: "error", module, node: decorator, message, hint });
  };
  const list = fieldOf(decorator, "arguments");
  const argument = (list === undefined ? [] : childrenOf(list)).find(
    (child) => child.type === "keyword_argument" && fieldTextOf(child, "name") === "max",
  );
  const node = argument === undefined ? undefined : fieldOf(argument, "value");
  if (node === undefined) return 1;
  try {
    const scope = createScope({ repository, module });
    const max = scope.evaluate(node, scope);
    if (typeof max !== "number" || !Number.isInteger(max) || max < 1) {
      add("@concurrent max must be an integer of at least 1", "write @concurrent(max=4)");
      return undefined;
    }
    if (max > 1 && !isAsync(target)) {
      add(`@concurrent(max > 1) requires an async ${target.name}()`, "write async def");
    }
    return max;
  } catch (error) {
    if (!(error instanceof Unresolved)) throw error;
    add("@concurrent max must be an integer literal", "write @concurrent(max=4)");
    return undefined;
  }
}
