import type { Command, Flags } from "../command.ts";
import { readDuration } from "../duration.ts";
import { UsageError } from "../errors.ts";
import { connectPlatform, type PlatformClient } from "../platform-client.ts";
import { renderLegs, renderSpend, type LegsReport, type SpendReport } from "../report/spend.ts";

export const spend: Command = {
  usage:
    "[--by DIMENSION[,DIMENSION]] [--last 7d] [--where DIMENSION=VALUE]… [--csv | --legs | --json]",
  options: {
    by: {
      type: "string",
      value: "DIMENSION",
      help: "model (default), key, provider, route, version, state, day, hour, month, metadata.NAME, or two of them: day,model; total: the sum only",
    },
    from: { type: "string", value: "TIME", help: "legs from then on: 2026-11-23, in UTC" },
    to: { type: "string", value: "TIME", help: "legs before then" },
    last: { type: "string", value: "TIME", help: "legs of the last 7d, 24h, 30m" },
    where: {
      type: "string",
      multiple: true,
      value: "DIMENSION=VALUE",
      help: "only such legs: key=ID, metadata.team=search; of one dimension several: any of them",
    },
    limit: { type: "string", value: "N", help: "rows or legs at most (default 100, 50)" },
    exact: { type: "boolean", help: "dollars to the nano" },
    csv: { type: "boolean", help: "comma-separated values with every measure" },
    legs: { type: "boolean", help: "single legs instead of sums, the one that ended last first" },
    before: { type: "string", value: "N", help: "with --legs: the next page" },
  },
  async run({ flags, context }) {
    const isLegs = flags.has("legs");
    assertTogether(flags);
    const query = readQuery(flags);
    const platform = await connectPlatform(context);
    const isExact = flags.has("exact");
    if (isLegs) {
      const report = (await platform.call(
        "GET",
        `/api/v1/spend/legs?${query.toString()}`,
      )) as LegsReport;
      context.output.answer(renderLegs(report, { isExact }), report);
      return;
    }
    if (flags.has("csv")) {
      query.set("format", "csv");
      context.output.write(await platform.text(`/api/v1/spend?${query.toString()}`));
      return;
    }
    const report = (await platform.call("GET", `/api/v1/spend?${query.toString()}`)) as SpendReport;
    const names = report.by.includes("key") ? await keyNames(platform) : new Map<string, string>();
    const nameOf = (key: string): string | undefined => names.get(key);
    context.output.answer(renderSpend(report, { isExact, nameOf }), report);
  },
};

function assertTogether(flags: Flags): void {
  const shapes = ["csv", "legs", "json"].filter((flag) => flags.has(flag));
  if (shapes.includes("csv") && shapes.length > 1) {
    throw new UsageError(`--${shapes.join(" and --")} exclude each other`, "byom spend --csv");
  }
  if (flags.text("last") !== undefined && flags.text("from") !== undefined) {
    throw new UsageError("--last and --from exclude each other", "byom spend --last 7d");
  }
  if (flags.has("legs") && flags.text("by") !== undefined) {
    throw new UsageError("--legs lists single legs: --by says nothing there", "--where model=ID");
  }
  if (!flags.has("legs") && flags.text("before") !== undefined) {
    throw new UsageError("--before is for --legs; sums end with --to", "--to 2026-11-23");
  }
}

function readQuery(flags: Flags): URLSearchParams {
  const query = new URLSearchParams();
  const by = flags.text("by") ?? "model";
  if (!flags.has("legs") && by !== "total") query.set("by", by);
  for (const name of ["from", "to", "limit", "before"]) {
    const value = flags.text(name);
    if (value !== undefined) query.set(name, value);
  }
  const lastMs = readDuration("--last", flags.text("last"));
  if (lastMs !== undefined) query.set("from", new Date(Date.now() - lastMs).toISOString());
  for (const pair of flags.texts("where")) {
    const equals = pair.indexOf("=");
    if (equals <= 0) {
      throw new UsageError(
        `--where ${pair}: expected DIMENSION=VALUE`,
        "--where metadata.team=search, or --where route= for legs without one",
      );
    }
    query.append(`filter[${pair.slice(0, equals)}]`, pair.slice(equals + 1));
  }
  return query;
}

/** Who may see spend need not be allowed to see keys: then their ids stand for them. */
async function keyNames(platform: PlatformClient): Promise<ReadonlyMap<string, string>> {
  try {
    const report = (await platform.call("GET", "/api/v1/keys")) as {
      readonly keys: readonly { readonly id: string; readonly name: string }[];
    };
    return new Map(report.keys.map(({ id, name }) => [id, name]));
  } catch {
    return new Map();
  }
}
