/** Debian suites by the CPython that they ship. */
export const suites: Readonly<Record<string, string>> = { "3.11": "bookworm", "3.13": "trixie" };

/** Python versions that `makeBaseImage` can make. */
export const possiblePythonVersions: readonly string[] = Object.keys(suites);
