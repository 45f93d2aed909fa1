import { z } from "zod";

import type { Price } from "../catalog/entry.ts";
import { addPeriod, bookAt, type PriceBook, type PricePeriod } from "../catalog/price-book.ts";
import { hardwareBookId } from "../catalog/pricing.ts";
import { pricesSchema } from "../catalog/store/records.ts";
import { GatewayError } from "../errors.ts";
import { unknownProvider } from "./catalog-routes.ts";
import { check, readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

interface PricesBody {
  readonly prices: readonly Price[];
  /** ISO 8601; default: now. */
  readonly from?: string;
  /** Default: all of the model's. */
  readonly provider?: string;
}

const from = z.iso.datetime({ offset: true }).or(z.iso.date());
const pricesBody: z.ZodType<PricesBody> = z.strictObject({
  prices: pricesSchema,
  from: from.exactOptional(),
  provider: z.string().min(1).exactOptional(),
});
const hardwareBody: z.ZodType<Omit<PricesBody, "provider">> = z.strictObject({
  prices: pricesSchema,
  from: from.exactOptional(),
});
const hardwareSchema = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, "such as gpu");

const query = { provider: "only at this provider", from: "from this time on; default: now" };

export const priceRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/prices",
    summary: "Prices that the operator set, in the place of those of the entries",
    scopes: ["admin", "deploy"],
    handle: ({ administration, services }) => ({
      prices: administration.store.prices.entries().flatMap(([model, book]) => {
        const now = iso(services.clock());
        const providers = new Set(book.map(({ provider }) => provider));
        return [...providers].flatMap((provider) => {
          const own = book.filter((period) => period.provider === provider);
          const prices = bookAt(own, now, provider);
          if (prices === undefined || isHardware(model)) return [];
          return [{ model, ...(provider !== undefined && { provider }), prices }];
        });
      }),
    }),
  },
  {
    method: "GET",
    path: "/price-history/{model+}",
    summary: "All prices that were set for a model, past ones and those that begin later",
    scopes: ["admin", "deploy"],
    handle: ({ administration, parameters }) => {
      const { id } = findEntry(administration, parameters["model"] ?? "");
      return { model: id, periods: administration.store.prices.get(id) ?? [] };
    },
  },
  {
    method: "PUT",
    path: "/prices/{model+}",
    summary:
      "Sets the prices of a model, own ones too, now or from a time on; an empty list says that it costs nothing",
    scopes: ["admin"],
    body: pricesBody,
    handle: putPrices,
  },
  {
    method: "DELETE",
    path: "/prices/{model+}",
    summary: "Takes them back; the entry's own prices hold again. What was charged stays",
    scopes: ["admin"],
    query,
    handle: clearPrices,
  },
  {
    method: "GET",
    path: "/hardware-prices",
    summary: "What an instance's time costs by its hardware, where an own model has no price",
    scopes: ["admin", "deploy"],
    handle: ({ administration, services }) => ({
      prices: administration.store.prices.entries().flatMap(([id, periods]) => {
        if (!isHardware(id)) return [];
        const prices = bookAt(periods, iso(services.clock()), undefined) ?? [];
        return [{ hardware: id.slice(hardwareBookId("").length), prices, periods }];
      }),
    }),
  },
  {
    method: "PUT",
    path: "/hardware-prices/{hardware}",
    summary: "Sets what an instance's time on a hardware costs, now or from a time on",
    scopes: ["admin"],
    body: hardwareBody,
    handle: async (admin) => {
      const hardware = check(hardwareSchema, admin.parameters["hardware"], "hardware");
      const body = await readAdminBody(admin.call.request, hardwareBody);
      return { hardware, ...setPeriod(admin, hardwareBookId(hardware), body) };
    },
  },
  {
    method: "DELETE",
    path: "/hardware-prices/{hardware}",
    summary: "Takes it back",
    scopes: ["admin"],
    handle: (admin) => {
      const hardware = admin.parameters["hardware"] ?? "";
      clear(admin, { id: hardwareBookId(hardware), name: hardware });
    },
  },
];

async function putPrices(admin: AdminCall): Promise<unknown> {
  const { administration, call, parameters } = admin;
  const entry = findEntry(administration, parameters["model"] ?? "");
  const body = await readAdminBody(call.request, pricesBody);
  const { provider } = body;
  if (provider !== undefined && !serves(entry, provider)) {
    if (administration.providers.get(provider) === undefined) throw unknownProvider(provider);
    throw new GatewayError("invalid_request", `${provider} does not serve ${entry.id}.`, {
      parameter: "provider",
    });
  }
  return {
    model: entry.id,
    ...(provider !== undefined && { provider }),
    ...setPeriod(admin, entry.id, body),
  };
}

function serves(
  { upstreams = [] }: NonNullable<ReturnType<AdminCall["administration"]["catalog"]["get"]>>,
  provider: string,
): boolean {
  return upstreams.some((target) => target.kind === "provider" && target.provider === provider);
}

function clearPrices(admin: AdminCall): undefined {
  const { call, parameters } = admin;
  const name = parameters["model"] ?? "";
  const id = admin.administration.catalog.get(name)?.id ?? name;
  const provider = call.query.get("provider") ?? undefined;
  const asked = call.query.get("from");
  const at = asked === null ? undefined : check(from, asked, "from");
  clear(admin, {
    id,
    name,
    ...(provider !== undefined && { provider }),
    ...(at !== undefined && { from: at }),
  });
}

function clear(
  admin: AdminCall,
  options: {
    readonly id: string;
    readonly name: string;
    readonly provider?: string;
    readonly from?: string;
  },
): undefined {
  const { id, name, provider } = options;
  const book = admin.administration.store.prices.get(id) ?? [];
  const last = book.findLast((period) => period.provider === provider);
  if ((last?.prices ?? null) === null) {
    throw new GatewayError("not_found", `There are no prices set for ${name}.`);
  }
  setPeriod(admin, id, { ...options, prices: null });
}

/** Adds a period; two prices of one unit, or one that would change what was charged, are refused. */
function setPeriod(
  { administration, services }: AdminCall,
  id: string,
  said: Pick<PricePeriod, "prices"> & { readonly from?: string; readonly provider?: string },
): { readonly prices: readonly Price[] | null; readonly from: string } {
  const { prices, provider } = said;
  const units = new Set(prices?.map(({ unit }) => unit));
  if (prices !== null && units.size !== prices.length) {
    throw new GatewayError("invalid_request", "prices: one price for each unit");
  }
  const now = services.clock();
  const asked = said.from === undefined ? now : Date.parse(said.from);
  if (asked < now && said.from !== undefined) {
    throw new GatewayError("invalid_request", `from: ${said.from} is past`, {
      parameter: "from",
      hint: "What was charged stays as it was; a price holds from now on, or from a later time.",
    });
  }
  const { store } = administration;
  const book: PriceBook = store.prices.get(id) ?? [];
  const period = {
    from: iso(asked),
    ...(provider !== undefined && { provider }),
    prices,
    setAt: iso(now),
  };
  store.prices.set(id, addPeriod(book, period));
  return { prices, from: period.from };
}

function findEntry(
  { catalog }: AdminCall["administration"],
  name: string,
): NonNullable<ReturnType<typeof catalog.get>> {
  const entry = catalog.get(name);
  if (entry === undefined) {
    throw new GatewayError("model_not_found", `There is no model ${name}.`);
  }
  return entry;
}

function isHardware(id: string): boolean {
  return id.startsWith(hardwareBookId(""));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
