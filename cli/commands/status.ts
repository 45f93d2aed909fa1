import type { Command } from "../command.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";

export const status: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/status")) as StatusReport;
    const rows = report.models.map(({ id, live, instances, waiting }) => [
      id,
      live === undefined ? "no version" : `version ${live.number}`,
      instances.length === 0
        ? "at zero"
        : instances.map(({ id: name, state }) => `${name} ${state}`).join(", "),
      waiting === 0 ? "" : `${waiting} waiting`,
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
  }[];
}
