/** The value with each string in it replaced; a value without a change is returned as it is. */
export function mapStrings(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) {
    const mapped = value.map((item: unknown) => mapStrings(item, map));
    return mapped.some((item, index) => item !== value[index]) ? mapped : value;
  }
  if (typeof value !== "object" || value === null) return value;
  let isChanged = false;
  const entries = Object.entries(value).map(([key, item]) => {
    const mapped = mapStrings(item, map);
    isChanged ||= mapped !== item;
    return [key, mapped] as const;
  });
  return isChanged ? Object.fromEntries(entries) : value;
}

/** The same with a replacement that takes its time. */
export async function replaceStrings(
  value: unknown,
  replace: (text: string) => Promise<string>,
): Promise<unknown> {
  if (typeof value === "string") return replace(value);
  if (Array.isArray(value)) {
    return Promise.all(value.map((item: unknown) => replaceStrings(item, replace)));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = await Promise.all(
    Object.entries(value).map(
      async ([key, item]) => [key, await replaceStrings(item, replace)] as const,
    ),
  );
  return Object.fromEntries(entries);
}
