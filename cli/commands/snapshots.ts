import type { Command } from "../command.ts";
import { CommandError, UsageError } from "../errors.ts";
import { formatBytes, formatDuration } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";
import {
  renderDecisions,
  renderPayoff,
  renderSnapshot,
  renderSnapshots,
  type DecisionLine,
  type InspectedSnapshot,
  type PayoffLine,
  type SnapshotLine,
} from "../report/snapshots.ts";

export const snapshotList: Command = {
  usage: "",
  async run({ context }) {
    const platform = await connectPlatform(context);
    const report = (await platform.call("GET", "/api/v1/snapshots")) as {
      snapshots: readonly SnapshotLine[];
    };
    context.output.answer(renderSnapshots(report.snapshots, Date.now()), report);
  },
};

export const snapshotInspect: Command = {
  usage: "SNAPSHOT",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const path = `/api/v1/snapshots/${encodeURIComponent(positionals[0] ?? "")}`;
    const snapshot = (await platform.call("GET", path)) as InspectedSnapshot;
    context.output.answer(renderSnapshot(snapshot, Date.now()), snapshot);
  },
};

export const snapshotVerify: Command = {
  usage: "SNAPSHOT",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const path = `/api/v1/snapshots/${encodeURIComponent(positionals[0] ?? "")}/verify`;
    const result = (await platform.call("POST", path)) as {
      id: string;
      damage: readonly string[];
      files: number;
      bytes: number;
      ms: number;
    };
    if (result.damage.length > 0) {
      throw new CommandError({
        code: "snapshot_damaged",
        message: `snapshot ${result.id} is not what was captured: ${result.damage.join("; ")}`,
        hint: "the next start is cold; `byom snapshot create OWNER/NAME` takes another one",
        details: result,
      });
    }
    context.output.answer(
      `${result.id} is whole: ${result.files} files, ${formatBytes(result.bytes)}, read in ${formatDuration(result.ms)}`,
      result,
    );
  },
};

/** Several at once; each by itself, so that one that is gone already does not keep the others. */
export const snapshotRemove: Command = {
  usage: "SNAPSHOT…",
  positionals: { min: 1, max: 1000 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    for (const id of positionals) {
      await platform.call("DELETE", `/api/v1/snapshots/${encodeURIComponent(id)}`);
      context.output.note(`removed ${id}`);
    }
    context.output.answer("", { removed: positionals });
  },
};

export const snapshotExplain: Command = {
  usage: "INSTANCE",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const path = `/api/v1/instances/${encodeURIComponent(positionals[0] ?? "")}/explain`;
    const report = (await platform.call("GET", path)) as { decisions: readonly DecisionLine[] };
    context.output.answer(renderDecisions(report.decisions), report);
  },
};

export const snapshotCreate: Command = {
  usage: "OWNER/NAME[@VERSION]",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const target = readTarget(positionals[0] ?? "");
    const platform = await connectPlatform(context);
    const { createSnapshotReporter } = await import("../report/snapshot-work.ts");
    const reporter = createSnapshotReporter<{
      snapshot: { id: string; sizeBytes: number };
      version: number;
      coldMs: readonly number[];
      restoredMs: readonly number[];
      payoff: PayoffLine;
    }>(context.output);
    await platform.follow("/api/v1/snapshots", target, reporter.onEvent);
    const created = reporter.result();
    const { snapshot, version, coldMs, restoredMs, payoff } = created;
    const list = (times: readonly number[]): string => times.map(formatDuration).join(", ");
    context.output.answer(
      [
        `snapshot  ${snapshot.id} (${formatBytes(snapshot.sizeBytes)}) of ${target.model}@${version}`,
        `cold      ${list(coldMs)}`,
        `restored  ${list(restoredMs)}`,
        `verdict   ${renderPayoff(payoff)}`,
      ].join("\n"),
      created,
    );
  },
};

export const snapshotPush: Command = {
  usage: "SNAPSHOT|OWNER/NAME[@VERSION] [REGISTRY/REPOSITORY]",
  positionals: { min: 1, max: 2 },
  async run({ positionals, context }) {
    const [what = "", reference] = positionals;
    const subject = what.includes("/") ? readTarget(what) : { snapshot: what };
    const platform = await connectPlatform(context);
    const { createSnapshotReporter } = await import("../report/snapshot-work.ts");
    const reporter = createSnapshotReporter<{
      reference: string;
      uploadedBytes: number;
      skippedBytes: number;
      sizeBytes: number;
    }>(context.output);
    const body = { ...subject, ...(reference !== undefined && { reference }) };
    await platform.follow("/api/v1/snapshots/push", body, reporter.onEvent);
    const pushed = reporter.result();
    context.output.note(
      `${formatBytes(pushed.sizeBytes)}: ${formatBytes(pushed.uploadedBytes)} sent, ${formatBytes(pushed.skippedBytes)} were there`,
    );
    context.output.answer(pushed.reference, pushed);
  },
};

export const snapshotPull: Command = {
  usage: "OWNER/NAME[@VERSION]|REGISTRY/REPOSITORY[@DIGEST]",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [what = ""] = positionals;
    const body = targetPattern.test(what) ? readTarget(what) : { reference: what };
    const platform = await connectPlatform(context);
    const { createSnapshotReporter } = await import("../report/snapshot-work.ts");
    const reporter = createSnapshotReporter<{
      snapshot: { id: string; sizeBytes: number };
      downloadedBytes: number;
      isNew: boolean;
      signedBy: string;
    }>(context.output);
    await platform.follow("/api/v1/snapshots/pull", body, reporter.onEvent);
    const pulled = reporter.result();
    context.output.note(
      pulled.isNew
        ? `${formatBytes(pulled.downloadedBytes)} received, signed by ${pulled.signedBy}`
        : "it was here already",
    );
    context.output.answer(pulled.snapshot.id, pulled);
  },
};

const targetPattern = /^([a-z0-9][\w.-]*\/[a-z0-9][\w.-]*)(?:@v?([1-9]\d*))?$/;

function readTarget(text: string): { model: string; version?: number } {
  const match = targetPattern.exec(text);
  if (match?.[1] === undefined) {
    throw new UsageError(
      `"${text}" is no model`,
      "write OWNER/NAME, or OWNER/NAME@3 for its version 3; `byom models` lists them",
    );
  }
  return { model: match[1], ...(match[2] !== undefined && { version: Number(match[2]) }) };
}
