import type { Config } from "../config/config.ts";

/** `cog.yaml:3 build.python_version`, or `default` when the author did not write the key. */
export function reasonAt(config: Config, key: string): string {
  const line = config.lines[key];
  return line === undefined ? "default" : `${config.file}:${line} ${key}`;
}
