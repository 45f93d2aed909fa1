/** The record's own value of a key that an author wrote: `constructor` and `__proto__` are in no table. */
export function ownValue<Value>(
  record: Readonly<Record<string, Value>>,
  key: string,
): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
