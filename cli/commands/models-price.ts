import type { Command, Flags } from "../command.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { connectPlatform, type PlatformClient } from "../platform-client.ts";
import { formatPrice, type ModelLine, type PriceLine } from "../report/catalog.ts";
import { readPrice } from "./models-change.ts";

interface PricePeriod {
  readonly from: string;
  readonly provider?: string;
  readonly prices: readonly PriceLine[] | null;
  readonly setAt: string;
}

export const modelsPrice: Command = {
  usage:
    "[MODEL] [UNIT=USD]… [--provider NAME] [--from TIME] [--history] [--clear] [--hardware gpu]",
  positionals: { min: 0, max: 12 },
  options: {
    provider: { type: "string", value: "NAME", help: "what it costs there (default: everywhere)" },
    from: {
      type: "string",
      value: "TIME",
      help: "from when on: 2027-01-01, in UTC (default: now)",
    },
    history: { type: "boolean", help: "all prices that were set, past ones and later ones" },
    hardware: {
      type: "string",
      value: "KIND",
      help: "instead of a model: what an instance's time costs on gpu or cpu",
    },
    clear: { type: "boolean", help: "take set prices back; the list's hold again" },
  },
  async run({ positionals, flags, context }) {
    const platform = await connectPlatform(context);
    const hardware = flags.text("hardware");
    const [model, pairs] =
      hardware === undefined ? [positionals[0], positionals.slice(1)] : [hardware, positionals];
    if (model === undefined) throw new UsageError("which model?", "byom models price MODEL");
    const folder = hardware === undefined ? "prices" : "hardware-prices";
    const path = `/api/v1/${folder}/${encodeURIComponent(model)}`;
    if (flags.has("clear")) {
      await platform.call("DELETE", `${path}${queryOf(flags, hardware === undefined)}`);
      context.output.answer(`${model}: no price set here`, { cleared: model });
    } else if (pairs.length > 0) {
      const prices = pairs.map(readPrice);
      const [from, provider] = [flags.text("from"), flags.text("provider")];
      const set = (await platform.call("PUT", path, {
        prices,
        ...(from !== undefined && { from }),
        ...(provider !== undefined && { provider }),
      })) as { readonly from: string };
      const when = from === undefined ? "" : ` from ${set.from}`;
      context.output.answer(`${model}: ${prices.map(formatPrice).join(", ")}${when}`, set);
    } else {
      const shown =
        hardware === undefined
          ? await showModel(model, flags.has("history"), platform)
          : await showHardware(hardware, platform);
      context.output.answer(shown.text, shown.report);
    }
  },
};

interface Shown {
  readonly text: string;
  readonly report: unknown;
}

async function showModel(
  model: string,
  isHistory: boolean,
  platform: PlatformClient,
): Promise<Shown> {
  const name = encodeURIComponent(model);
  if (isHistory) {
    const report = (await platform.call("GET", `/api/v1/price-history/${name}`)) as {
      readonly periods: readonly PricePeriod[];
    };
    return { text: formatTable(report.periods.map(periodRow)), report };
  }
  const { prices = [] } = (await platform.call(
    "GET",
    `/api/v1/catalog/models/${name}`,
  )) as ModelLine;
  return { text: prices.map(describePrice).join("\n"), report: { model, prices } };
}

async function showHardware(hardware: string, platform: PlatformClient): Promise<Shown> {
  const { prices: all } = (await platform.call("GET", "/api/v1/hardware-prices")) as {
    readonly prices: readonly {
      readonly hardware: string;
      readonly prices: readonly PriceLine[];
      readonly periods: readonly PricePeriod[];
    }[];
  };
  const found = all.find((one) => one.hardware === hardware);
  const report = found ?? { hardware, prices: [], periods: [] };
  return { text: report.prices.map(formatPrice).join("\n"), report };
}

function periodRow({ from, provider, prices }: PricePeriod): readonly string[] {
  const text = prices === null ? "as listed" : prices.map(formatPrice).join(", ");
  return [from.slice(0, 19).replace("T", " "), provider ?? "everywhere", text || "nothing"];
}

function queryOf(flags: Flags, isModel: boolean): string {
  const query = new URLSearchParams();
  for (const name of isModel ? ["provider", "from"] : []) {
    const value = flags.text(name);
    if (value !== undefined) query.set(name, value);
  }
  return query.size === 0 ? "" : `?${query.toString()}`;
}

function describePrice(price: PriceLine): string {
  const { source, asOf } = price;
  return source === undefined
    ? formatPrice(price)
    : `${formatPrice(price)} (${source}, ${asOf ?? "undated"})`;
}
