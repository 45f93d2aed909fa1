import { randomBytes } from "node:crypto";

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
/** 130 bits: nobody guesses an id, two never meet. */
const idLength = 26;

/** Random bytes are drawn for this many ids at once: a system call per id is dear on the hot path. */
const idsPerDraw = 128;

let pool = Buffer.alloc(0);
let used = 0;

/** A random id of 26 lowercase letters and digits, as Replicate's are. */
export function randomId(): string {
  let id = "";
  if (used + idLength > pool.length) {
    pool = randomBytes(idLength * idsPerDraw);
    used = 0;
  }
  for (let at = used; at < used + idLength; at += 1) id += alphabet[(pool[at] ?? 0) & 31];
  used += idLength;
  return id;
}
