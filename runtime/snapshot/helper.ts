import { connect } from "node:net";

import { z } from "zod";

import { SnapshotError } from "../errors.ts";
import { withHelperSockets } from "./identity-files.ts";
import type { InstanceIdentity } from "./identity.ts";

/** What the Python helper in the container answers; see builder/python-helper/byom/_requests.py. */
export interface HelperReply {
  readonly ok: boolean;
  readonly pid: number;
  /** As the process sees it; a helper of an image built earlier does not say it. */
  readonly hostname?: string | undefined;
  /** What was reseeded or trimmed. */
  readonly did: readonly string[];
  readonly hooks: readonly { readonly name: string; readonly ms: number }[];
  readonly errors: readonly string[];
  /** Connections to outside that it closed before the capture, such as `10.0.0.5:5432`. */
  readonly closed?: readonly string[] | undefined;
}

const replySchema: z.ZodType<HelperReply> = z.object({
  ok: z.boolean(),
  pid: z.number().int(),
  hostname: z.string().optional(),
  did: z.array(z.string()),
  hooks: z.array(z.object({ name: z.string(), ms: z.number() })),
  errors: z.array(z.string()),
  closed: z.array(z.string()).optional(),
});

export type HelperRequest =
  | { readonly do: "ping" | "prepare" | "captured" }
  | { readonly do: "restored"; readonly instance: Omit<InstanceIdentity, "secrets"> };

/** AWS SnapStart grants its restore hooks ten seconds too. */
export const restoredTimeoutMs = 10_000;
/** Before a capture there is time: a hook may drop gigabytes of caches. */
export const prepareTimeoutMs = 60_000;
/** The helper gives up on a hook this much earlier, and names it. */
const answerMs = 500;
/** A reply lists hooks and errors; more than this is a fault. */
const replyLengthMax = 1 << 20;

/**
 * Asks every Python process of a container at once. The host reaches their sockets through the init process's root, so
 * no port, signal or `exec` is needed.
 * @throws SnapshotError `snapshot_helper_failed` when one does not answer in time.
 */
export async function askHelpers(
  initPid: number,
  request: HelperRequest,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly HelperReply[]> {
  const replies = await withHelperSockets(initPid, (paths) =>
    Promise.all(paths.map((path) => askOne(path, request, options))),
  );
  return replies.filter((reply) => reply !== undefined);
}

/** Throws when a hook or a reseeding failed in any process. */
export function assertAllSucceeded(replies: readonly HelperReply[], when: string): void {
  const errors = replies.flatMap((reply) => reply.errors);
  if (errors.length === 0 && replies.every((reply) => reply.ok)) return;
  throw new SnapshotError(
    "snapshot_hook_failed",
    `${when}: ${errors.join("; ") || "a step failed"}`,
    {
      hint: "the hook's own error is above; test it with `byom run`",
    },
  );
}

/** Undefined for the socket of a process that has ended: nobody listens there. */
async function askOne(
  path: string,
  request: HelperRequest,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<HelperReply | undefined> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    const line = await exchange(
      path,
      `${JSON.stringify({ ...request, timeoutMs: options.timeoutMs - answerMs })}\n`,
      AbortSignal.any([options.signal, timeout]),
    );
    return replySchema.parse(JSON.parse(line));
  } catch (error) {
    options.signal.throwIfAborted();
    if (["ECONNREFUSED", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) {
      return undefined;
    }
    const what = timeout.aborted ? `no answer in ${options.timeoutMs / 1000} s` : String(error);
    throw new SnapshotError(
      "snapshot_helper_failed",
      `a Python process did not ${request.do}: ${what}`,
      {
        cause: error,
        hint: "a hook that blocks, or a process that is stopped, keeps the helper from answering",
      },
    );
  }
}

async function exchange(path: string, line: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const socket = connect({ path });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let received = "";
  const abort = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  socket.setEncoding("utf8");
  socket.on("connect", () => socket.write(line));
  socket.on("data", (part: string) => {
    received += part;
    if (received.endsWith("\n")) resolve(received);
    if (received.length > replyLengthMax) reject(new Error("the answer is too long"));
  });
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("the connection was closed without an answer")));
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}
