import type { Command } from "../command.ts";
import { formatBytes, formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";

export const snapshotList: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/snapshots")) as {
      snapshots: readonly {
        id: string;
        status: string;
        reason?: string;
        sizeBytes: number;
        createdAt: string;
        key: { imageId: string };
      }[];
    };
    const rows = report.snapshots.map(({ id, status, reason, sizeBytes, createdAt, key }) => [
      id,
      status,
      formatBytes(sizeBytes),
      createdAt,
      key.imageId.slice(0, 19),
      reason ?? "",
    ]);
    context.output.answer(formatTable(rows), report);
  },
};

export const snapshotRemove: Command = {
  usage: "SNAPSHOT",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    await platform.call("DELETE", `/api/v1/snapshots/${positionals[0]}`);
    context.output.answer(`removed ${positionals[0]}`, { removed: positionals[0] });
  },
};
