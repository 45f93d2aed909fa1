import { isObject } from "../../../http/body.ts";
import type { ProviderHttp } from "../adapter.ts";
import { brokenAnswer } from "../failure.ts";

/**
 * What stands at a dotted path in a provider's JSON, such as `output.choices.0.message`; the value itself at the empty
 * one, undefined when there is nothing.
 */
export function at(body: unknown, path: string): unknown {
  if (path === "") return body ?? undefined;
  let value = body;
  for (const name of path.split(".")) {
    if (Array.isArray(value)) value = value[Number(name)] as unknown;
    else if (isObject(value)) value = value[name];
    else return undefined;
  }
  return value ?? undefined;
}

/** A text that is not empty; ids that come as numbers count. */
export function textAt(body: unknown, path: string): string | undefined {
  const value = at(body, path);
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A number; those that come as texts count. */
export function numberAt(body: unknown, path: string): number | undefined {
  const value = at(body, path);
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

export function listAt(body: unknown, path: string): readonly unknown[] {
  const value = at(body, path);
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** The texts of a list, or those at one path of each of its elements, such as the URLs of images. */
export function textsAt(body: unknown, listPath: string, path: string = ""): readonly string[] {
  return listAt(body, listPath).flatMap((item) => textAt(item, path) ?? []);
}

/** A value that the provider's protocol promises. @throws `GatewayError` `upstream_failed` when it is missing */
export function promised<Value>(value: Value | undefined, http: ProviderHttp, what: string): Value {
  if (value === undefined) throw brokenAnswer(http.provider, `no ${what}`);
  return value;
}

/** A list that the provider's protocol promises not to be empty. @throws `GatewayError` `upstream_failed` */
export function promisedSome<Item>(
  items: readonly Item[],
  http: ProviderHttp,
  what: string,
): readonly Item[] {
  if (items.length === 0) throw brokenAnswer(http.provider, `no ${what}`);
  return items;
}
