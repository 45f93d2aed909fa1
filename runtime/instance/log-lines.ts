/**
 * What a model printed, out of its container's log. coglet writes JSON lines, one for each line of the model and many
 * about itself: of its own only what went wrong is worth a reader's time. Lines of other origin pass as they are.
 */
export function readModelLog(log: string): string[] {
  return log.split("\n").flatMap((line) => {
    if (line.trim() === "") return [];
    const record = parseRecord(line);
    return record === undefined ? [line] : renderRecord(record);
  });
}

/** A line of coglet's own: `{"timestamp", "level", "fields": {"message", "source"?, "error"?, …}, "target"}`. */
interface CogletRecord {
  readonly level: string;
  readonly message: string;
  /** `Stdout` or `Stderr`: the model printed it. */
  readonly source: string | undefined;
  readonly error: string | undefined;
}

function parseRecord(line: string): CogletRecord | undefined {
  if (!line.startsWith("{")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { level, target, fields } = value as Record<string, unknown>;
  if (typeof level !== "string" || typeof target !== "string") return undefined;
  if (!/^coglet\b/.test(target) || typeof fields !== "object" || fields === null) return undefined;
  const { message, source, error } = fields as Record<string, unknown>;
  if (typeof message !== "string") return undefined;
  return { level, message, source: textOrNone(source), error: textOrNone(error) };
}

function textOrNone(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function renderRecord({ level, message, source, error }: CogletRecord): string[] {
  if (source !== undefined) return [message];
  if (error !== undefined) return [`${message}: ${error}`];
  return level === "ERROR" || level === "WARN" ? [message] : [];
}
