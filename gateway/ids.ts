import { randomBytes } from "node:crypto";

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
/** 130 bits: nobody guesses an id, two never meet. */
const idLength = 26;

/** A random id of 26 lowercase letters and digits, as Replicate's are. */
export function randomId(): string {
  let id = "";
  for (const byte of randomBytes(idLength)) id += alphabet[byte & 31];
  return id;
}
