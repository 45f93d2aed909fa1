import { expect, test } from "vitest";
import {
  findIgnoreProblems,
  IgnoreMatcher,
  parseIgnoreFile,
} from "../../../../builder/context/ignore.ts";

/**
 * Rows up to the marked one were compared with what `docker build` of `COPY . /` leaves out; where engines differ, with
 * the newer ones. The others follow moby/patternmatcher's source.
 */
test.each<[ignoreFile: string, ignored: string[], kept: string[]]>([
  ["*.md\n!README.md", ["a.md"], ["README.md", "docs/a.md"]],
  ["*/*.md", ["docs/a.md"], ["a.md", "docs/x/a.md"]],
  ["**/*.md", ["a.md", "docs/x/a.md"], ["a.mdx"]],
  ["**.md", ["a.md", "docs/x/a.md"], ["a.mdx"]],
  ["*\n!src", ["a", "other/b"], ["src/deep/c"]],
  ["*\n!src/**\nsrc/deep", ["a", "src/deep/c"], ["src/b"]],
  ["**\n!**/*.py", ["a.txt", "x/a.txt"], ["a.py", "x/y/a.py"]],
  ["secret\n!secret/keep", ["secret/drop", "secret"], ["secret/keep/me"]],
  ["!a.txt\n*.txt", ["a.txt"], ["a.py"]],
  ["docs/**", ["docs/a", "docs/x/y"], ["docs", "docs2/a"]],
  ["foo/**/baz", ["foo/baz", "foo/a/b/baz"], ["foobaz", "a/foo/baz"]],
  ["temp?", ["temp1", "temp2/a"], ["temp", "temp12", "a/temp1"]],
  ["/dist\n./build/\nfoo/../bar", ["dist/a", "build/b", "bar"], ["a/dist", "foo"]],
  ["# a.txt\n\n   b.txt  ", ["b.txt"], ["a.txt", "# a.txt"]],
  ["f[1-2]\ng[^1]", ["f1", "f2", "g2"], ["f3", "g1"]],
  ["x\\[1]", ["x[1]"], ["x1"]],
  ["a+b.txt\n(p)\n$d", ["a+b.txt", "(p)/x", "$d"], ["aab.txt", "a+bxtxt"]],
  [".*", [".env", ".git/config"], ["a.env"]],
  ["\uFEFFa.txt\r\nb.txt\r\n", ["a.txt", "b.txt"], ["c.txt"]],
  [".\n..\n/", [], ["a", "b/c"]],
  // A prefix and a suffix are compared as text, a line's end in a name included; an expression's `.` never takes one.
  ["docs/**", ["docs/a\nb"], ["doc"]],
  ["a**", ["ab/c", "a/b"], ["b/a"]],
  ["x/**/*.py", ["x/a.py", "x/y/a.py"], ["x/y\nz/a.py"]],
  ["**/a/**", ["a/b", "x/a/b"], ["x/a", "ab"]],
  // Quirks of the expression that Docker makes of a pattern.
  ["\\d?", ["1a", "2b/a"], ["da"]],
  ["a[^b]c", ["a/c", "axc/d"], ["abc"]],
  ["a[*]c", ["a]c"], ["a*c"]],
  ["*^b", ["b"], ["^b", "a^b"]],
  ["[!a]x", ["!x", "ax"], ["bx"]],
  ["a]b*", ["a]b", "a]bc"], ["ab"]],
  ["a\\-b", ["a-b"], ["ab"]],
  ["\u0085a.txt\u00a0\n!\u0085 b", ["a.txt"], ["b"]],
])("%j", (text, ignored, kept) => {
  const matcher = new IgnoreMatcher(parseIgnoreFile(text));
  expect(ignored.filter((path) => !matcher.isIgnored(path))).toEqual([]);
  expect(kept.filter((path) => matcher.isIgnored(path))).toEqual([]);
});

test("an ignored folder is only walked when something in it may come back", () => {
  const matcher = new IgnoreMatcher(parseIgnoreFile("*\n!src/keep"));
  expect(matcher.mayTakeBackBelow("src")).toBe(true);
  expect(matcher.mayTakeBackBelow("node_modules")).toBe(false);
  expect(new IgnoreMatcher(["**", "!**/*.py"]).mayTakeBackBelow("any")).toBe(true);
});

test("a pattern for which Docker refuses the build is found with its line", () => {
  const text = "# [\nok\n[\n!\na\\\n[]a]\n[a-]\n[z-a]\n\\y\n!a[\n[a-z]?\\[\n";
  expect(findIgnoreProblems(text).map(({ line }) => line)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
});

test("a pattern of many wildcards is still decided at once", () => {
  const matcher = new IgnoreMatcher([`${"**/".repeat(50)}x?`]);
  expect(matcher.isIgnored(`${"a/".repeat(200)}y`)).toBe(false);
});
