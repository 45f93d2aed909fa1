import type Docker from "dockerode";

/** A registry that cannot be reached must not hold up a set-up; one that sends data may take its time. */
const idleTimeoutMs = 10_000;

export type PullResult =
  | { readonly isPresent: true }
  | { readonly isPresent: false; readonly reason: string };

/** Whether the engine has this image. */
export async function hasImage(
  docker: Docker,
  reference: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  try {
    // dockerode's types do not know the `abortSignal` that its code takes.
    const limits: object = { abortSignal: options.signal };
    await docker.getImage(reference).inspect(limits);
    return true;
  } catch (error) {
    options.signal.throwIfAborted();
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** Pulls an image unless it is present; gives up when nothing has moved for 10 s. Rejects only when the signal aborts. */
export async function tryPull(
  docker: Docker,
  reference: string,
  options: { signal: AbortSignal; onLine?: (line: string) => void; idleTimeoutMs?: number },
): Promise<PullResult> {
  const limitMs = options.idleTimeoutMs ?? idleTimeoutMs;
  const idle = new AbortController();
  const onIdle = (): void =>
    idle.abort(new Error(`no answer from the registry within ${limitMs / 1000} s`));
  const timer = setTimeout(onIdle, limitMs);
  const signal = AbortSignal.any([options.signal, idle.signal]);
  try {
    const stream = await docker.pull(reference, { abortSignal: signal });
    await followPull(docker, stream, { ...options, signal, onProgress: () => timer.refresh() });
    return { isPresent: true };
  } catch (error) {
    options.signal.throwIfAborted();
    const reason = idle.signal.aborted ? idle.signal.reason : error;
    return { isPresent: false, reason: (reason as Error).message.split("\n")[0] ?? "" };
  } finally {
    clearTimeout(timer);
  }
}

async function followPull(
  docker: Docker,
  stream: NodeJS.ReadableStream,
  options: { signal: AbortSignal; onProgress: () => void; onLine?: (line: string) => void },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    options.signal.addEventListener("abort", () => reject(options.signal.reason as Error), {
      once: true,
    });
    const onFinished = (error: Error | null): void => (error === null ? resolve() : reject(error));
    docker.modem.followProgress(stream, onFinished, (event: PullEvent) => {
      options.onProgress();
      if (event.progress === undefined && event.status !== undefined) {
        options.onLine?.([event.id, event.status].filter(Boolean).join(": "));
      }
    });
  });
}

interface PullEvent {
  readonly id?: string;
  readonly status?: string;
  readonly progress?: string;
}
