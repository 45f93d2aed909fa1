/** A deployment's settings as Replicate's API shows and changes them. */
export interface DeploymentSettings {
  /** Counts its changes. */
  readonly release: number;
  /** Version number with the largest share of the traffic. */
  readonly version: number;
  readonly minInstances: number;
  readonly maxInstances: number;
  /** ISO 8601, of the last change. */
  readonly changedAt: string;
}

/** byom's own deployments behind the gateway. */
export interface Deployments {
  /** Undefined for a model that is not deployed here. */
  get(modelId: string): DeploymentSettings | undefined;
  /** Resolves when the change holds. Rejects with an error that has `code` and `message`. */
  change(
    modelId: string,
    change: Partial<Pick<DeploymentSettings, "version" | "minInstances" | "maxInstances">>,
    options: { readonly by?: string; readonly signal: AbortSignal },
  ): Promise<void>;
  remove(
    modelId: string,
    options: { readonly by?: string; readonly signal: AbortSignal },
  ): Promise<void>;
}
