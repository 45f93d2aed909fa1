import type { Command } from "../command.ts";
import { formatDuration, formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";
import type { PayoffLine } from "../report/snapshots.ts";

export const status: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/status")) as StatusReport;
    const rows = report.models.map(({ id, live, instances, waiting, nextStart }) => [
      id,
      live === undefined ? "no version" : `version ${live.number}`,
      instances.length === 0
        ? "at zero"
        : instances.map(({ id: name, state }) => `${name} ${state}`).join(", "),
      waiting === 0 ? "" : `${waiting} waiting`,
      renderNextStart(nextStart),
    ]);
    const snapshots = report.snapshots.isAvailable ? "on" : `off: ${report.snapshots.reason ?? ""}`;
    context.output.answer(
      [
        `platform   ${platform.access.url}`,
        `engine     Docker ${report.engine.version}, cgroup v${report.engine.cgroupVersion}`,
        `snapshots  ${snapshots}`,
        "",
        rows.length === 0 ? "no models yet: byom push OWNER/NAME" : formatTable(rows),
      ].join("\n"),
      report,
    );
  },
};

interface StatusReport {
  readonly engine: { readonly version: string; readonly cgroupVersion: string };
  readonly snapshots: { readonly isAvailable: boolean; readonly reason?: string };
  readonly models: readonly {
    readonly id: string;
    readonly live?: { readonly number: number };
    readonly instances: readonly { readonly id: string; readonly state: string }[];
    readonly waiting: number;
    readonly nextStart?: NextStart;
  }[];
}

interface NextStart {
  readonly mode: string;
  readonly reason?: string;
  readonly payoff: PayoffLine;
}

/** `next start restored (0.41 s restored, 2.30 s cold)`; of a cold one the reason. */
function renderNextStart(next: NextStart | undefined): string {
  if (next === undefined) return "";
  const { restoredMs, coldMs } = next.payoff;
  const times = [
    ...(restoredMs === undefined ? [] : [`${formatDuration(restoredMs)} restored`]),
    ...(coldMs === undefined ? [] : [`${formatDuration(coldMs)} cold`]),
  ].join(", ");
  const why = next.reason === undefined ? "" : `: ${next.reason}`;
  return `next start ${next.mode}${times === "" ? "" : ` (${times})`}${why}`;
}
