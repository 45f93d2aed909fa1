/**
 * Who a new instance is: what the platform tells the processes of a container after its start, restored or cold, because
 * environment and hostname of the container that was captured are still in their memory. Written to
 * `/run/byom/instance.json` in the container (mode 0600) and given to every `after_restore` hook.
 */
export interface InstanceIdentity {
  /** `i-` and 12 hex digits. */
  readonly id: string;
  readonly containerId: string;
  readonly modelId: string;
  readonly version: number;
  /** Also set as the container's own host name. */
  readonly hostname: string;
  /** How it came up. */
  readonly start: "cold" | "restored";
  /** ISO 8601: when this instance started; a restored process may hold an earlier idea of the time. */
  readonly startedAt: string;
  /** The environment that the version gives now, by name, without secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Values by name. Never logged; in the container they lie in files of their own, on a tmpfs that no snapshot holds. */
  readonly secrets: Readonly<Record<string, string>>;
}
