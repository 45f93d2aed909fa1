import { expect, it } from "vitest";
import { coerceInput, createSchema } from "../../../../builder/python-schema/index.ts";

const source = `
from cog import Input, Path
def run(
    text: str,
    count: int,
    level: int = Input(default=1, choices=[1, 2]),
    ratio: float = 0.5,
    is_safe: bool = True,
    tags: list[str] = [],
    numbers: list[int] = [],
    images: list[Path] = [],
    either: str | float = "a",
    small: str | int = "a",
    data: dict = {},
) -> str: ...
`;

const { document } = await createSchema({
  directory: "/unused",
  predictor: "predict.py:run",
  readFile: async (path) => (path === "predict.py" ? source : undefined),
});

function coerce(...pairs: string[]): Record<string, unknown> {
  const values = pairs.map((pair) => {
    const at = pair.indexOf("=");
    return { name: pair.slice(0, at), value: pair.slice(at + 1) };
  });
  return coerceInput({ document, values });
}

it.each<[string[], Record<string, unknown>]>([
  [["text=3"], { text: "3" }],
  [["text=true"], { text: "true" }],
  [["text=a=b"], { text: "a=b" }],
  [["text="], { text: "" }],
  [["count=3"], { count: 3 }],
  [["count=-3"], { count: -3 }],
  [["count=3.5"], { count: "3.5" }],
  [["count=lots"], { count: "lots" }],
  [["level=2"], { level: 2 }],
  [["ratio=1"], { ratio: 1 }],
  [["ratio=1e-3"], { ratio: 0.001 }],
  [["ratio=Infinity"], { ratio: "Infinity" }],
  [["is_safe=false"], { is_safe: false }],
  [["is_safe=no"], { is_safe: "no" }],
  [["tags=a"], { tags: ["a"] }],
  [["tags=a", "tags=1"], { tags: ["a", "1"] }],
  [['tags=["a","b"]'], { tags: ["a", "b"] }],
  [["numbers=1", "numbers=2"], { numbers: [1, 2] }],
  [["images=@a.png"], { images: ["@a.png"] }],
  [["images=@a.png", "images=@b.png"], { images: ["@a.png", "@b.png"] }],
  [["text=@a.txt"], { text: "@a.txt" }],
  [["either=1.5"], { either: 1.5 }],
  [["either=abc"], { either: "abc" }],
  [["small=7"], { small: 7 }],
  [["small=7.5"], { small: "7.5" }],
  [['data={"a":[1]}'], { data: { a: [1] } }],
  [["data=oops"], { data: "oops" }],
  [["unknown=1"], { unknown: "1" }],
])("%j arrives as the type that the model declares", (pairs, expected) => {
  expect(coerce(...pairs)).toEqual(expected);
});
