import type { PriceUnit } from "../../catalog/entry.ts";
import type { LegBegin } from "../../route/leg.ts";
import { readDecimal, exactly, nanoOf } from "../decimal.ts";
import type { LegPrices } from "../meter.ts";
import { parseUsd } from "../money.ts";

/** What a call may use of which nothing is known yet: an ordinary one. */
const ordinary: Readonly<Partial<Record<PriceUnit, number>>> = {
  "input-token": 1_000,
  "output-token": 500,
  image: 1,
  megapixel: 1,
  video: 1,
  second: 10,
  "audio-second": 30,
  "video-second": 5,
  character: 500,
  request: 1,
  "instance-second": 5,
  "gpu-second": 5,
};
/** So many of the last costs of a model at a provider are looked at. */
const rememberedMax = 8;
/** Models at providers that are remembered; the one that was called longest ago goes first. */
const modelsMax = 10_000;

/** What a leg that begins will cost: the most that those like it cost lately; of the first ones what an ordinary one would. */
export class Estimates {
  readonly #lately = new Map<string, number[]>();

  of(begin: LegBegin, prices: LegPrices): number {
    const { customCost } = begin;
    if (customCost !== undefined && "total" in customCost) return parseUsd(customCost.total) ?? 0;
    const costs = this.#lately.get(nameOf(begin));
    return costs === undefined ? ordinaryCost(prices) : Math.max(...costs);
  }

  /** Legs that cost nothing, such as those that failed, say nothing about the next one. */
  learn(begin: LegBegin, nanoUsd: number): void {
    if (nanoUsd === 0) return;
    const name = nameOf(begin);
    const costs = this.#lately.get(name) ?? [];
    this.#lately.delete(name);
    costs.push(nanoUsd);
    if (costs.length > rememberedMax) costs.shift();
    this.#lately.set(name, costs);
    const [oldest] = this.#lately.size > modelsMax ? this.#lately.keys() : [];
    if (oldest !== undefined) this.#lately.delete(oldest);
  }
}

function nameOf({ provider, model }: LegBegin): string {
  return `${provider}\n${model}`;
}

function ordinaryCost({ prices = [] }: LegPrices): number {
  return prices.reduce((sum, { unit, usd, per }) => {
    const price = readDecimal(usd);
    const count = exactly(ordinary[unit] ?? 0);
    if (price === undefined || count === undefined) return sum;
    const one = { ...price, denominator: price.denominator * BigInt(per) };
    return sum + Number(nanoOf(count, one));
  }, 0);
}
