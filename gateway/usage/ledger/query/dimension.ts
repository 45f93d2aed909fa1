import { metadataColumn, timeColumn, type Block } from "../store/blocks.ts";
import type { Column, Constant } from "../store/columns.ts";
import type { LedgerStore } from "../store/ledger-store.ts";
import { metadataOf, wordDimensions } from "../store/stored-leg.ts";

/** One way to split legs, as whole numbers for each leg of a block. */
export interface Dimension {
  readonly name: string;
  readonly isTime: boolean;
  codes(block: Block): Column | Constant;
  /** Undefined when no leg can have it. */
  codeOf(value: string): number | undefined;
  valueOf(code: number): string | null;
}

const metadataPrefix = "metadata.";
export const timeDimensions = ["hour", "day", "month"] as const;

/** Whether a question may name it. */
export function isDimension(name: string): boolean {
  if (name.startsWith(metadataPrefix)) return name.length > metadataPrefix.length;
  return [...wordDimensions, ...timeDimensions].some((known) => known === name);
}

export function openDimension(store: LedgerStore, name: string): Dimension {
  if (name.startsWith(metadataPrefix)) {
    return metadataDimension(store, name.slice(metadataPrefix.length));
  }
  const time = times.get(name);
  return time === undefined ? wordDimension(store, name, name) : timeDimension(name, time);
}

function wordDimension(store: LedgerStore, name: string, column: string): Dimension {
  return {
    name,
    isTime: false,
    codes: (block) => block.column(column),
    codeOf: (value) => (value === "" ? 0 : store.names.find(value)),
    valueOf: (code) => (code === 0 ? null : (store.names.text(code) ?? null)),
  };
}

function metadataDimension(store: LedgerStore, key: string): Dimension {
  const known = store.metadataKeys.find(key);
  const name = metadataPrefix + key;
  if (known !== undefined) return wordDimension(store, name, metadataColumn(known));
  // A name beyond those that have columns: its values are with the legs.
  const texts: (string | null)[] = [null];
  const codes = new Map<string, number>();
  const codeFor = (text: string): number => {
    let code = codes.get(text);
    if (code === undefined) {
      code = texts.push(text) - 1;
      codes.set(text, code);
    }
    return code;
  };
  return {
    name,
    isTime: false,
    codeOf: (value) => (value === "" ? 0 : codeFor(value)),
    valueOf: (code) => texts[code] ?? null,
    codes(block) {
      const values = new Float64Array(block.legs);
      let row = 0;
      for (const leg of store.legsOf(block)) {
        const value =
          leg.facts.moreMetadata === undefined ? undefined : metadataOf(leg, store)[key];
        values[row] = value === undefined ? 0 : codeFor(String(value));
        row += 1;
      }
      return values;
    },
  };
}

interface TimeUnit {
  code(ms: number): number;
  text(code: number): string;
}

const hourMs = 60 * 60_000;
const dayMs = 24 * hourMs;
const monthsPerYear = 12;

/** All in UTC. */
const times: ReadonlyMap<string, TimeUnit> = new Map<string, TimeUnit>([
  ["hour", { code: (ms) => Math.floor(ms / hourMs), text: (code) => iso(code * hourMs, 13) }],
  ["day", { code: (ms) => Math.floor(ms / dayMs), text: (code) => iso(code * dayMs, 10) }],
  [
    "month",
    {
      code: (ms) => {
        const date = new Date(ms);
        return date.getUTCFullYear() * monthsPerYear + date.getUTCMonth();
      },
      text: (code) => iso(Date.UTC(Math.floor(code / monthsPerYear), code % monthsPerYear), 7),
    },
  ],
]);

function iso(ms: number, characters: number): string {
  return new Date(ms).toISOString().slice(0, characters);
}

function timeDimension(name: string, unit: TimeUnit): Dimension {
  return {
    name,
    isTime: true,
    codes(block) {
      const from = unit.code(block.beganFrom);
      if (from === unit.code(block.beganTo)) return from;
      const at = block.column(timeColumn);
      if (typeof at === "number") return unit.code(at);
      const codes = new Uint32Array(at.length);
      for (let row = 0; row < at.length; row += 1) codes[row] = unit.code(at[row] ?? 0);
      return codes;
    },
    codeOf(value) {
      const ms = Date.parse(value.length === 13 ? `${value}:00Z` : value);
      return Number.isNaN(ms) ? undefined : unit.code(ms);
    },
    valueOf: (code) => unit.text(code),
  };
}
