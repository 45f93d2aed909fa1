import { expect, test } from "vitest";
import { parseChallenges } from "../../../../registry-client/auth/challenge.ts";
import { mergeScopes } from "../../../../registry-client/auth/scope.ts";

test("reads a bearer challenge whose quoted values hold commas and escapes", () => {
  expect(
    parseChallenges(
      'Bearer realm="https://a.example/t?x=1",service="s \\"q\\"",scope="repository:a/b:pull,push"',
    ),
  ).toEqual([
    {
      scheme: "bearer",
      parameters: {
        realm: "https://a.example/t?x=1",
        service: 's "q"',
        scope: "repository:a/b:pull,push",
      },
    },
  ]);
});

test("reads several challenges in one header", () => {
  expect(
    parseChallenges('Negotiate, Basic realm="r", Bearer realm="x"').map(({ scheme }) => scheme),
  ).toEqual(["negotiate", "basic", "bearer"]);
});

test("ends on nonsense instead of hanging", () => {
  expect(parseChallenges('Bearer realm="never closed')).toHaveLength(2);
  expect(parseChallenges("=;=;")).toEqual([]);
});

test("puts the scope that was demanded first and does not repeat ours", () => {
  const wanted = [
    { repository: "a", actions: ["pull", "push"] },
    { repository: "b", actions: ["pull"] },
  ] as const;
  expect(mergeScopes(wanted, "repository:a:push,pull")).toEqual([
    "repository:a:push,pull",
    "repository:b:pull",
  ]);
  expect(mergeScopes(wanted, "repository:b:pull")).toEqual([
    "repository:b:pull",
    "repository:a:pull,push",
  ]);
});
