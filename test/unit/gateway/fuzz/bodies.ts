import fc from "fast-check";

import { routes, type Route } from "./routes.ts";

export interface Case {
  readonly route: Route;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Values that parsers, converters and databases stumble over. */
const oddValue = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    "",
    "\u0000",
    "\ud800",
    "__proto__",
    -1,
    0,
    1e308,
    Number.MAX_SAFE_INTEGER + 2,
    [],
    {},
    [[[[[[]]]]]],
    { type: "object" },
    { toString: 1 },
    true,
    "true",
    "data:image/png;base64,%%%",
    "data:,",
    "http://169.254.169.254/",
    "file:///etc/passwd",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);

/** A request of the route with one to three of its values put in question. */
function mutated(route: Route): fc.Arbitrary<string> {
  const steps = fc.array(
    fc.record({ at: fc.nat(), how: fc.constantFrom("replace", "remove", "add"), value: oddValue }),
    { minLength: 1, maxLength: 3 },
  );
  return fc.tuple(fc.constantFrom(...route.bodies), steps).map(([body, mutations]) => {
    const root = { body: structuredClone(body) };
    for (const mutation of mutations) mutate(root, mutation);
    return JSON.stringify(root.body) ?? "";
  });
}

function mutate(
  root: { body: unknown },
  { at, how, value: given }: { at: number; how: string; value: unknown },
): void {
  // The same value may come twice, and must not come into itself.
  const value = structuredClone(given);
  const places = placesIn(root);
  const place = places[at % places.length];
  if (place === undefined) return;
  const { holder, key } = place;
  if (how === "replace") holder[key] = value;
  else if (how === "remove") delete holder[key];
  else {
    const target = holder[key];
    if (typeof target === "object" && target !== null) {
      (target as Record<string, unknown>)[Array.isArray(target) ? String(target.length) : "odd"] =
        value;
    }
  }
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): readonly Place[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

function bytesFor(route: Route): fc.Arbitrary<Uint8Array> {
  const utf8 = (text: string): Uint8Array => Buffer.from(text);
  const good = fc.constantFrom(...route.bodies).map((body) => JSON.stringify(body));
  return fc.oneof(
    { weight: 8, arbitrary: mutated(route).map(utf8) },
    { weight: 1, arbitrary: good.map(utf8) },
    {
      weight: 1,
      arbitrary: fc.tuple(good, fc.nat(200)).map(([text, end]) => utf8(text.slice(0, end))),
    },
    {
      weight: 1,
      arbitrary: fc.jsonValue({ maxDepth: 4 }).map((value) => utf8(JSON.stringify(value))),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(good, fc.nat(), fc.oneof(fc.constantFrom(0x5c, 0x22, 0x0a, 0x00), fc.nat(255)))
        .map(([text, at, byte]) => {
          const bytes = Buffer.from(text);
          bytes[at % bytes.length] = byte;
          return bytes;
        }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(5_000, 50_000).map((depth) => utf8("[".repeat(depth))),
    },
  );
}

const headers = fc.record(
  {
    "content-type": fc.constantFrom(
      "application/json",
      "application/json; charset=utf-8",
      "text/plain",
      "multipart/form-data",
      "multipart/form-data; boundary=x",
      "application/octet-stream",
      "image/png",
    ),
    accept: fc.constantFrom("text/event-stream", "*/*", "application/json", "audio/*;q=x"),
    prefer: fc.constantFrom("wait=1", "wait", "respond-async", "wait=-1", "wait=x"),
    "cancel-after": fc.constantFrom("1s", "x", "-1m"),
    "anthropic-version": fc.constantFrom("2023-06-01", "x"),
    "cf-aig-metadata": fc.constantFrom('{"a":1}', "{", "[]", '{"a":{}}'),
    "cf-consn-model-id": fc.constantFrom("acme/chat", "", "x".repeat(300)),
    "x-byom-provider-key": fc.constantFrom("k"),
  },
  { requiredKeys: [] },
);

/** A request to some route of some surface, mostly almost right. */
export const anyCase: fc.Arbitrary<Case> = fc
  .constantFrom(...routes)
  .chain((route) =>
    fc.record({
      route: fc.constant(route),
      body: bytesFor(route),
      headers: fc.oneof(
        { weight: 3, arbitrary: fc.constant({ "content-type": "application/json" }) },
        { weight: 2, arbitrary: headers },
      ),
    }),
  )
  .map(({ route, body, headers: given }) => ({
    route,
    body,
    headers: route.surface === "binding" ? { "cf-consn-model-id": "acme/chat", ...given } : given,
  }));
