const millisecondsPerUnit: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

const bytesPerUnit: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  ki: 1024,
  mi: 1024 ** 2,
  gi: 1024 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** `60s`, `1.5m`, `500ms`; a number alone is seconds. Undefined for anything else. */
export function parseDurationMs(text: string | null | undefined): number | undefined {
  return parseQuantity(text, millisecondsPerUnit, "s");
}

/** `4GiB`, `4Gi` (as Kubernetes writes it), `512m` (as Docker reads it: MiB), `2GB`; a number alone is bytes. Undefined for anything else. */
export function parseBytes(text: string | null | undefined): number | undefined {
  return parseQuantity(text, bytesPerUnit, "b");
}

function parseQuantity(
  text: string | null | undefined,
  units: Readonly<Record<string, number>>,
  unitDefault: string,
): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text?.trim() ?? "");
  if (match === null) return undefined;
  const unit = units[match[2]?.toLowerCase() || unitDefault];
  return unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}
