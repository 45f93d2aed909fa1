/** One step into a JSON value: a member or index, any of them (`*`), or any number of steps (`**`). */
export type PathStep =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "any" }
  | { readonly kind: "deep" };

/** `input.messages[*].content` as steps. */
export function readPath(path: string): readonly PathStep[] {
  const names = path.replaceAll(/\[([^\]]*)\]/g, ".$1").split(".");
  return names
    .filter((name) => name !== "")
    .map((name) => {
      if (name === "*") return { kind: "any" };
      return name === "**" ? { kind: "deep" } : { kind: "name", name };
    });
}
