import { closeSync, openSync, readSync } from "node:fs";

import { decodeLine, type JournalRecord } from "./record.ts";

export interface SegmentSlice {
  readonly records: readonly JournalRecord[];
  /** Where the next slice begins. */
  readonly next: number;
  /** Nothing more can be read up to the bound. */
  readonly isAtEnd: boolean;
  /** Lines that were not whole. */
  readonly damaged: number;
}

const newline = 0x0a;

/**
 * Whole lines of a segment from an offset on, about `bytes` of them. A line without its end is what a kill left: of a
 * segment that is written no more it is passed by, of the current one it is still to come.
 */
export function readSegment(
  path: string,
  options: {
    readonly from: number;
    readonly bytes: number;
    /** Not beyond; absent: the file's end, where nothing more comes. */
    readonly upTo?: number;
  },
): SegmentSlice {
  const { from, upTo } = options;
  const descriptor = openSync(path, "r");
  try {
    // A line is far shorter than a slice; if one is not, the slice grows until it is whole.
    for (let size = options.bytes; ; size *= 2) {
      const wanted = upTo === undefined ? size : Math.min(size, upTo - from);
      if (wanted <= 0) return { records: [], next: from, isAtEnd: true, damaged: 0 };
      const buffer = Buffer.allocUnsafe(wanted);
      const read = readSync(descriptor, buffer, 0, wanted, from);
      if (read === 0) return { records: [], next: from, isAtEnd: true, damaged: 0 };
      const isAtEnd = read < wanted || (upTo !== undefined && from + read >= upTo);
      const end = buffer.lastIndexOf(newline, read - 1) + 1;
      if (end === 0 && !isAtEnd) continue;
      const rest = upTo === undefined && isAtEnd ? read - end : 0;
      const parsed = parseLines(buffer.toString("utf8", 0, end));
      return {
        records: parsed.records,
        next: from + end + rest,
        isAtEnd,
        damaged: parsed.damaged + (rest > 0 ? 1 : 0),
      };
    }
  } finally {
    closeSync(descriptor);
  }
}

function parseLines(text: string): Pick<SegmentSlice, "records" | "damaged"> {
  const records: JournalRecord[] = [];
  let damaged = 0;
  for (let from = 0; from < text.length;) {
    const end = text.indexOf("\n", from);
    const line = text.slice(from, end);
    from = end + 1;
    const record = line === "" ? undefined : decodeLine(line);
    if (record === undefined) damaged += line === "" ? 0 : 1;
    else records.push(record);
  }
  return { records, damaged };
}
