/**
 * Runs `work` for every item, at most `concurrency` at a time. The first failure aborts the others' signal and is thrown
 * when all have ended, so that nothing runs on behind the caller's back.
 */
export async function eachBounded<T>(
  items: readonly T[],
  options: { readonly concurrency: number; readonly signal: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  options.signal.throwIfAborted();
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const queue = items.values();
  const worker = async (): Promise<void> => {
    try {
      for (const item of queue) {
        signal.throwIfAborted();
        await work(item, signal);
      }
    } catch (error) {
      if (!failed.signal.aborted) failed.abort(error);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  options.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
}
