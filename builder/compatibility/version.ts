/** -1, 0 or 1 by the numbers of two dotted versions; a missing number is 0 (PEP 440). */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [numbersOf(left), numbersOf(right)];
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

/** `12.4.1` gives `12.4`. */
export function minorOf(version: string): string {
  const [major = 0, minor = 0] = numbersOf(version);
  return `${major}.${minor}`;
}

/** Whether a version fits specifiers such as `>=2.4,<3`; what is no specifier is passed over. Source: PEP 440. */
export function fitsSpecifiers(version: string, specifiers: string): boolean {
  return specifiers.split(",").every((clause) => {
    const [, operator, text = ""] =
      /^\s*(===|==|~=|!=|<=|>=|<|>)\s*([\w.*+!-]+)\s*$/.exec(clause) ?? [];
    if (operator === undefined) return true;
    const wanted = text.replace(/\+.*$/, "");
    const compared = compareVersions(version, wanted);
    switch (operator) {
      case "===":
      case "==":
        return wanted.endsWith(".*") ? hasPrefix(version, wanted.slice(0, -2)) : compared === 0;
      case "!=":
        return wanted.endsWith(".*") ? !hasPrefix(version, wanted.slice(0, -2)) : compared !== 0;
      case "~=":
        return compared >= 0 && hasPrefix(version, wanted.split(".").slice(0, -1).join("."));
      case "<=":
        return compared <= 0;
      case ">=":
        return compared >= 0;
      case "<":
        return compared < 0;
      default:
        return compared > 0;
    }
  });
}

function hasPrefix(version: string, prefix: string): boolean {
  const parts = version.split(".");
  return prefix.split(".").every((part, index) => Number(parts[index] ?? 0) === Number(part));
}

function numbersOf(version: string): number[] {
  return (/^\d+(?:\.\d+)*/.exec(version.trim())?.[0] ?? "0").split(".").map(Number);
}
