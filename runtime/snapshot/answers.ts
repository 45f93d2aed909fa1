import { isDeepStrictEqual } from "node:util";

/**
 * Numbers in 32 bits carry seven digits, and the order in which threads add them up changes the last two or three from
 * run to run of the same process. A restore that went wrong is further off than this.
 */
const relativeTolerance = 1e-4;
/** Below this a number is the rest of a subtraction, and its digits are chance. */
const absoluteTolerance = 1e-6;
/** JSON this deep is no model's answer. */
const depthMax = 100;

/**
 * Whether two answers of a model are the same: equal in everything but the last digits of numbers that are not whole.
 * Texts, whole numbers, labels and the order of lists must be equal. NaN, which JSON does not have, equals itself.
 */
export function answersAgree(one: unknown, other: unknown, depth = 0): boolean {
  if (typeof one === "number" && typeof other === "number") return numbersAgree(one, other);
  if (depth > depthMax || !isContainer(one) || !isContainer(other)) {
    return isDeepStrictEqual(one, other);
  }
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every(
      (name) => Object.hasOwn(other, name) && answersAgree(one[name], other[name], depth + 1),
    )
  );
}

function numbersAgree(one: number, other: number): boolean {
  if (Object.is(one, other) || one === other) return true;
  if (Number.isInteger(one) && Number.isInteger(other)) return false;
  const scale = Math.max(Math.abs(one), Math.abs(other));
  return Math.abs(one - other) <= Math.max(absoluteTolerance, relativeTolerance * scale);
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
