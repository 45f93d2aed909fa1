import type { Deadlines } from "../../limits.ts";
import type { ProviderHttp } from "./adapter.ts";
import type { Provider } from "./providers.ts";

/** HTTP to one provider, for one call. */
export function createProviderHttp(options: {
  readonly provider: Provider;
  /** The caller's or the operator's. */
  readonly key: string | undefined;
  readonly deadlines: Deadlines;
  readonly signal: AbortSignal;
}): ProviderHttp {
  throw new Error(`no way to ${options.provider.name} yet`);
}
