import { modelIdSchema } from "../../catalog/third-party.ts";
import { GatewayError } from "../../errors.ts";
import { dynamicPrefix, modelRoutePrefix, ownModelOf } from "./document.ts";

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A route's name as it is kept: `support` of `dynamic/support`, or `models/ID`. */
export function plainName(name: string): string {
  return name.startsWith(dynamicPrefix) ? name.slice(dynamicPrefix.length) : name;
}

/** As callers and bills name a route: `dynamic/support`, `models/ID`. */
export function fullName(name: string): string {
  return name.startsWith(modelRoutePrefix) ? name : `${dynamicPrefix}${name}`;
}

/** @throws `GatewayError` `invalid_request` */
export function checkRouteName(name: string): string {
  const plain = plainName(name);
  const ownModel = ownModelOf(plain);
  const isName =
    ownModel === undefined ? namePattern.test(plain) : modelIdSchema.safeParse(ownModel).success;
  if (isName) return plain;
  throw new GatewayError("invalid_request", `${name} is no name for a route.`, {
    parameter: "name",
    hint: "Letters, digits, dots and hyphens, up to 64; or models/ID, which says how a model is called by default.",
  });
}
