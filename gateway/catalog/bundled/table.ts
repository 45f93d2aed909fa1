import type { Capability, Facts, Price, PriceUnit, Task } from "../entry.ts";
import type { ThirdPartyModel } from "../third-party.ts";

/**
 * The bundled models are tables in text, one model a line, so that a person can check a line against its source:
 *
 * - language models: `id | provider's name | title | released | context | output | can | input | cached | output price`,
 *   prices in US dollars a million tokens;
 * - everything else: `id | provider's name | title | released | unit amount[/per], … | description`.
 *
 * `-` stands for what is not known. A provider's name may be followed by others that serve the same model:
 * `recraftv3, replicate:recraft-ai/recraft-v3`.
 */
export interface Tables {
  text(lines: string): readonly ThirdPartyModel[];
  media(task: Task, lines: string): readonly ThirdPartyModel[];
}

/** Token prices are written for this many. */
const tokensPerPrice = 1_000_000;

const capabilityLetters: Readonly<Record<string, Capability>> = {
  t: "tools",
  j: "json",
  v: "vision",
  r: "reasoning",
};

/** Reads the tables of one provider; `maker` is whose models they are, or `on HOST` for a host of other people's. */
export function tablesOf(provider: string, maker: string, facts: Facts): Tables {
  const common = (cells: readonly string[], task: Task): Omit<ThirdPartyModel, "description"> => {
    const [id = "", names = "", name = "", released = "-"] = cells;
    return {
      id,
      name,
      task,
      upstreams: upstreamsOf(provider, names),
      createdAt: `${released === "-" ? facts.asOf : released}T00:00:00.000Z`,
      facts,
    };
  };
  return {
    text: (lines) =>
      rowsOf(lines).map((cells) => {
        const [, , name, , context, output, can = "", input, cached, generated] = cells;
        const capabilities = can.split("").flatMap((letter) => capabilityLetters[letter] ?? []);
        const amounts: readonly (readonly [PriceUnit, string | undefined])[] = [
          ["input-token", input],
          ["cached-input-token", cached],
          ["output-token", generated],
        ];
        const prices = amounts.flatMap(([unit, usd]): readonly Price[] =>
          isKnown(usd) ? [dated({ unit, per: tokensPerPrice, usd }, facts)] : [],
        );
        return {
          ...common(cells, "text-generation"),
          description: describeText(name ?? "", maker, capabilities),
          ...(isKnown(context) ? { contextLength: Number(context) } : {}),
          ...(isKnown(output) ? { maxOutputTokens: Number(output) } : {}),
          capabilities,
          ...(prices.length === 0 ? {} : { prices }),
        };
      }),
    media: (task, lines) =>
      rowsOf(lines).map((cells) => {
        const [, , , , priced = "-", description = ""] = cells;
        const prices =
          priced === "-" ? [] : priced.split(",").map((text) => readPrice(text, facts));
        return {
          ...common(cells, task),
          description,
          ...(prices.length === 0 ? {} : { prices }),
        };
      }),
  };
}

function rowsOf(lines: string): readonly (readonly string[])[] {
  return lines
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => line.split("|").map((cell) => cell.trim()));
}

function isKnown(cell: string | undefined): cell is string {
  return cell !== undefined && cell !== "" && cell !== "-";
}

function upstreamsOf(provider: string, names: string): ThirdPartyModel["upstreams"] {
  return names.split(",").map((text, index) => {
    const name = text.trim();
    const colonAt = name.indexOf(":");
    if (index === 0 || colonAt === -1) return { provider, model: name };
    return { provider: name.slice(0, colonAt), model: name.slice(colonAt + 1) };
  });
}

/** `second 0.4`, or `second 0.21/3600`. */
function readPrice(text: string, facts: Facts): Price {
  const [, unit = "", usd = "", per = "1"] =
    /^\s*([\w-]+) ([\d.]+)(?:\/(\d+))?\s*$/.exec(text) ?? [];
  return dated({ unit: unit as PriceUnit, per: Number(per), usd }, facts);
}

function dated(price: Price, { source, asOf }: Facts): Price {
  return { ...price, source, asOf };
}

function describeText(name: string, maker: string, can: readonly Capability[]): string {
  const takes = can.includes("vision") ? "text and images" : "text";
  const also = [
    ...(can.includes("reasoning") ? ["reasons before it answers"] : []),
    ...(can.includes("tools") ? ["calls tools"] : []),
  ];
  const isHosted = maker.startsWith("on ");
  const whose = isHosted ? `${name} ${maker}` : `${maker}'s ${name}`;
  return `${whose}: ${takes} in, text out${also.length === 0 ? "" : `; ${also.join(" and ")}`}.`;
}
