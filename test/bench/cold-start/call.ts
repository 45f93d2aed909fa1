import { execFileSync } from "node:child_process";

import { request } from "undici";

import type { Byom } from "../../support/byom.ts";
import type { Model } from "./models.ts";

/** One request from zero or from pause, and what the platform says of the start behind it. */
export interface Called {
  readonly answeredMs: number;
  /** Inside the model, as coglet measured it. */
  readonly predictMs: number;
  readonly start: {
    readonly mode: string;
    readonly totalMs: number;
    readonly phases: readonly Phase[];
  };
}

interface Phase {
  readonly name: string;
  readonly ms: number;
  readonly bytes?: number;
}

/** Lets the instance go, then times one request through the gateway, from sending it to its whole answer. */
export async function callFrom(
  byom: Byom,
  model: Model,
  how: { readonly release: readonly string[]; readonly mode: string },
): Promise<Called> {
  await byom.json("scale", model.id, ...how.release);
  backFreeMemory();
  const { url, apiKey } = await byom.access();
  const body = JSON.stringify({ input: await model.input() });
  const sentAt = performance.now();
  const response = await request(`${url}/models/${model.id}/predictions`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body,
    // The platform closes an idle connection at a moment of its own.
    reset: true,
  });
  const prediction = (await response.body.json()) as {
    status: string;
    metrics?: { predict_time?: number };
  };
  const answeredMs = performance.now() - sentAt;
  const start = readStart(response.headers);
  if (prediction.status !== "succeeded" || start.mode !== how.mode) {
    throw new Error(
      `${model.id}: expected a ${how.mode} start, got ${JSON.stringify({ start, prediction })} ` +
        String(response.headers["x-byom-start-reason"] ?? ""),
    );
  }
  return { answeredMs, predictMs: (prediction.metrics?.predict_time ?? 0) * 1000, start };
}

function readStart(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Called["start"] {
  const phases = String(headers["x-byom-start-phases"] ?? "").matchAll(
    /([\w-]+);dur=([\d.]+)(?:;bytes=(\d+))?/g,
  );
  return {
    mode: String(headers["x-byom-start"] ?? ""),
    totalMs: Number(headers["x-byom-start-ms"]),
    phases: [...phases].map(([, name = "", ms, bytes]) => ({
      name,
      ms: Number(ms),
      ...(bytes !== undefined && { bytes: Number(bytes) }),
    })),
  };
}

/** More than any of the models needs. */
const backedBytes = 1.5 * 2 ** 30;

/**
 * A virtual machine may give its free memory back to its host, which then hands it out again page by page, slower than
 * any disk. Memory that was just used and freed is still there, so every start, cold or not, finds the same.
 */
function backFreeMemory(): void {
  execFileSync(process.execPath, ["-e", `Buffer.alloc(${backedBytes}, 1)`]);
}
