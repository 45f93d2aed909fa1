import { randomBytes } from "node:crypto";

import { GatewayError } from "../errors.ts";
import { checkUrl } from "../http/url-guard.ts";
import { budgetIdPattern, ruleSchema, rulesSchema, type Rule } from "../usage/budgets/rule.ts";
import type { BudgetView } from "../usage/budgets/view.ts";
import { readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";

export const budgetRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/budgets",
    summary:
      "Budgets with what is spent, what is held for calls in flight, and when they open again",
    scopes: ["admin"],
    handle: ({ services }) => ({ budgets: services.accounts.budgets.list() }),
  },
  {
    method: "GET",
    path: "/budgets/{budget}",
    summary: "One budget; of one with partitions, the values that most is spent on",
    scopes: ["admin"],
    handle: ({ services, parameters }) =>
      services.accounts.budgets.show(parameters["budget"] ?? ""),
  },
  {
    method: "POST",
    path: "/budgets",
    summary:
      "Makes a budget from a spend rule in Cloudflare's shape, or all of a gateway's `spend_limits`; in force with the next call",
    scopes: ["admin"],
    status: 201,
    body: rulesSchema,
    handle: createBudgets,
  },
  {
    method: "PUT",
    path: "/budgets/{budget}",
    summary: "Makes or replaces a budget; what was spent in its window counts",
    scopes: ["admin"],
    body: ruleSchema,
    handle: putBudget,
  },
  {
    method: "DELETE",
    path: "/budgets/{budget}",
    summary: "Removes a budget",
    scopes: ["admin"],
    handle: ({ services, parameters }) => {
      services.accounts.budgets.remove(parameters["budget"] ?? "");
    },
  },
];

async function createBudgets(admin: AdminCall): Promise<unknown> {
  const body = await readAdminBody(admin.call.request, rulesSchema);
  if (!("rules" in body)) return await put(admin, idOf(body), checked(admin, body));
  const rules = body.rules.map((rule) => ({
    ...checked(admin, rule),
    enabled: rule.enabled && body.enabled !== false,
  }));
  const budgets = await Promise.all(rules.map((rule) => put(admin, idOf(rule), rule)));
  return { budgets };
}

async function putBudget(admin: AdminCall): Promise<unknown> {
  const { call, parameters } = admin;
  const id = parameters["budget"] ?? "";
  if (!budgetIdPattern.test(id)) {
    throw new GatewayError("invalid_request", `${id} is no name: letters, digits, dots, dashes.`);
  }
  const rule = await readAdminBody(call.request, ruleSchema);
  return await put(admin, id, checked(admin, rule));
}

/** Answered when what was spent before is known: the next call meets the budget as it stands. */
async function put({ call, services }: AdminCall, id: string, rule: Rule): Promise<BudgetView> {
  const { budgets } = services.accounts;
  const { signal } = call;
  budgets.put(id, rule);
  await budgets.restored({ signal });
  const { values: _values, ...view } = budgets.show(id);
  return view;
}

function idOf({ id }: Rule): string {
  return id ?? `budget-${randomBytes(6).toString("hex")}`;
}

/** Models by their ids, and an alerts' URL to which the gateway may connect. */
function checked({ services, administration }: AdminCall, rule: Rule): Rule {
  const { model, alerts } = rule;
  if (alerts?.url !== undefined) {
    checkUrl(alerts.url, { parameter: "alerts.url", allow: services.allowedHosts });
  }
  if (model?.mode !== "filter") return rule;
  const values = model.values.map((name) => administration.catalog.get(name)?.id ?? name);
  return { ...rule, model: { mode: "filter", values } };
}
