import type { RequestFormat, Task } from "../../gateway/catalog/entry.ts";
import { defaultDeadlines, type Deadlines } from "../../gateway/limits.ts";
import { createPools, type Pools } from "../../gateway/upstream/pools.ts";
import type { ProviderAdapter, ProviderResult } from "../../gateway/upstream/provider/adapter.ts";
import { createProviderHttp } from "../../gateway/upstream/provider/http.ts";

export interface AdapterRun {
  readonly adapter: ProviderAdapter;
  readonly baseUrl: string;
  readonly key?: string;
  /** Default: the adapter's id. */
  readonly name?: string;
  readonly model: string;
  readonly task: Task;
  readonly requestFormats?: readonly RequestFormat[];
  readonly input: Readonly<Record<string, unknown>>;
  readonly isStreaming?: boolean;
  readonly signal?: AbortSignal;
  readonly deadlines?: Partial<Deadlines>;
  /** Connections that stay when the call has ended; default: the call's own. */
  readonly pools?: Pools;
  /** Called with each piece as it comes. */
  readonly onEmit?: (chunk: unknown) => void;
}

export interface AdapterAnswer extends ProviderResult {
  readonly emitted: readonly unknown[];
  readonly logs: readonly string[];
  /** Milliseconds of each pause between two polls; none is really waited. */
  readonly pauses: readonly number[];
}

/** Runs one call of an adapter as the gateway does, against a double; pauses take no time. */
export async function runAdapter(options: AdapterRun): Promise<AdapterAnswer> {
  const { adapter, baseUrl, key = "test-key-123456" } = options;
  const signal = options.signal ?? new AbortController().signal;
  const deadlines = { ...defaultDeadlines, ...options.deadlines };
  const pools = options.pools ?? createPools({ connectMs: deadlines.connectMs });
  const emitted: unknown[] = [];
  const logs: string[] = [];
  const pauses: number[] = [];
  try {
    const result = await adapter.run({
      model: options.model,
      task: options.task,
      ...(options.requestFormats === undefined ? {} : { requestFormats: options.requestFormats }),
      input: options.input,
      isStreaming: options.isStreaming ?? true,
      http: createProviderHttp({
        provider: { name: options.name ?? adapter.id, adapter, baseUrl, key },
        key,
        pools,
        deadlines,
        signal,
      }),
      emit: (chunk) => {
        emitted.push(chunk);
        options.onEmit?.(chunk);
      },
      log: (line) => logs.push(line),
      pause: async (ms) => {
        pauses.push(ms);
        // One turn of the loop, so that an abort is heard.
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      },
      signal,
    });
    return { ...result, emitted, logs, pauses };
  } finally {
    if (options.pools === undefined) await pools.close({ isForced: true });
  }
}
