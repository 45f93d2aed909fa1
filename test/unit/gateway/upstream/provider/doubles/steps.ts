import { json, type DoubleAnswer } from "../../../../../support/provider-double.ts";

/** Answers one body after another, as a job that is looked at; the last one stays. */
export function steps(bodies: readonly unknown[]): () => DoubleAnswer {
  let index = 0;
  return () => {
    const body = bodies[Math.min(index, bodies.length - 1)];
    index += 1;
    return json(body);
  };
}
