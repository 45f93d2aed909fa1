import {
  planOf,
  readDocument,
  type RouteDocument,
} from "../../../../../gateway/route/dynamic/document.ts";
import { evaluate, type Evaluation } from "../../../../../gateway/route/dynamic/evaluate.ts";
import type { CallFacts } from "../../../../../gateway/route/dynamic/facts.ts";

// Routes as tests read and walk them, without models behind them.

export const noFacts: CallFacts = { metadata: {}, headers: {}, nowMs: 0 };

interface Asked {
  readonly metadata?: CallFacts["metadata"];
  readonly draws?: readonly number[];
  /** Ids of limits that are reached. */
  readonly shut?: readonly string[];
}

export function read(value: unknown): RouteDocument {
  return readDocument(value, { routeName: "r" });
}

export function walk(
  value: unknown,
  { metadata = {}, draws = [0], shut = [] }: Asked = {},
): Evaluation {
  let turn = 0;
  return evaluate(planOf(read(value), "r").graph, {
    facts: { ...noFacts, metadata },
    random: () => draws[turn++ % draws.length] ?? 0,
    mayPass: ({ id }) => ({ isOpen: !shut.includes(id) }),
  });
}

export function models(value: unknown, asked?: Asked): readonly string[] {
  return walk(value, asked).legs.map(({ plan }) => plan.model);
}

/** Why a route is refused. */
export function problem(value: unknown): string {
  try {
    read(value);
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing";
}

// Elements of Cloudflare's form.

export const out = (elementId: string): { elementId: string } => ({ elementId });
export const start = (to: string): unknown => ({
  id: "s",
  type: "start",
  outputs: { next: out(to) },
});
export const end = { id: "e", type: "end", outputs: {} };
export const model = (id: string, fallback?: string): unknown => ({
  id,
  type: "model",
  properties: { provider: "openai", model: id, timeout: 500, retries: 2 },
  outputs: { success: out("e"), ...(fallback !== undefined && { fallback: out(fallback) }) },
});
