import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

import { Agent, buildConnector } from "undici";

import { GatewayError } from "../errors.ts";
import { closedNetworks, embeddedIpv4 } from "./closed-networks.ts";

/**
 * Hosts that the operator opens to URLs of callers although they are private: names (`hooks.internal`), addresses
 * (`10.0.0.7`) and networks (`10.0.0.0/8`, `fd00::/8`).
 */
export interface AllowList {
  hasName(hostname: string): boolean;
  hasAddress(address: string): boolean;
  /** Whether a name may turn out to have an allowed address. */
  readonly hasNetworks: boolean;
}

export interface UrlGuardOptions {
  /** Default: no private host. */
  readonly allow?: AllowList;
}

/** Ports on which HTTP is served; below 1024 everything else is another protocol's. */
const privilegedPorts: ReadonlySet<number> = new Set([80, 443]);
const registeredPortMin = 1024;

/** @throws `RangeError` for an entry that is neither a name, an address nor a network */
export function parseAllowList(entries: readonly string[]): AllowList {
  const names = new Set<string>();
  const networks = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix, ...rest] = entry.trim().toLowerCase().split("/");
    const family = isIP(address);
    if (family !== 0 && rest.length === 0) {
      const bits = family === 4 ? 32 : 128;
      const length = prefix === undefined ? bits : Number(prefix);
      if (prefix === "" || !Number.isInteger(length) || length < 0 || length > bits) {
        throw new RangeError(`${entry}: the prefix must be a number from 0 to ${bits}`);
      }
      networks.addSubnet(address, length, family === 4 ? "ipv4" : "ipv6");
    } else if (prefix === undefined && /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(address)) {
      names.add(address);
    } else {
      throw new RangeError(`${entry}: expected a host name, an address or a network`);
    }
  }
  return {
    hasName: (hostname) => names.has(bareHost(hostname)),
    hasAddress: (address) => check(networks, address),
    hasNetworks: networks.rules.length > 0,
  };
}

/**
 * Checks a URL that a caller gave before anything is sent there: what its text already says. Names are checked again,
 * with their addresses, when the connection is made (`createGuardedDispatcher`).
 * @throws `GatewayError` `invalid_request` that names `parameter`
 */
export function checkUrl(
  text: string,
  options: UrlGuardOptions & { readonly parameter?: string } = {},
): URL {
  const { parameter = "url", allow } = options;
  const refuse = (why: string, hint?: string): GatewayError =>
    new GatewayError("invalid_request", `${parameter}: ${why}`, {
      parameter,
      ...(hint === undefined ? {} : { hint }),
    });
  // The parser of URLs removes line ends and tabs; what is refused here reads the same to every parser.
  // oxlint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f\u007f\\]/.test(text)) throw refuse("must not have spaces or backslashes");
  const url = URL.parse(text);
  if (url === null) throw refuse("is not a URL");
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refuse("must be an https URL");
  if (url.username !== "" || url.password !== "") {
    throw refuse("must not have a user name or password");
  }
  const failure = refusal(url, allow);
  if (failure !== undefined) throw refuse(failure, allowHint);
  return url;
}

const allowHint = "The platform's operator can allow hosts of a private network.";

/** What speaks against the target as far as the URL alone tells. */
function refusal(url: URL, allow: AllowList | undefined): string | undefined {
  const host = bareHost(url.hostname);
  const isAddress = isIP(host) !== 0;
  if (allow?.hasName(host) === true || (isAddress && allow?.hasAddress(host) === true)) {
    return undefined;
  }
  if (isAddress && isClosedAddress(host)) return `${host} is not a public address`;
  if (host === "localhost" || host.endsWith(".localhost")) return `${host} is this machine`;
  const mayBePlain = !isAddress && allow?.hasNetworks === true;
  if (url.protocol === "http:" && !mayBePlain) return "must be an https URL";
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  if (port < registeredPortMin && !privilegedPorts.has(port)) return `port ${port} is not for HTTP`;
  return undefined;
}

/**
 * A dispatcher for URLs that callers gave. It follows no redirect, and it looks at the address that it connects to,
 * so that a name cannot point to one address when it is checked and to another when it is used.
 */
export function createGuardedDispatcher(
  options: UrlGuardOptions & {
    /** Connections to one origin; default: 16. */
    readonly connections?: number;
    readonly connectMs?: number;
    /** Default: the system's resolver. */
    readonly lookup?: LookupFunction;
  } = {},
): Agent {
  const { connections = 16, connectMs = 5_000, allow } = options;
  const lookup = options.lookup ?? (systemLookup as LookupFunction);
  const build = (isPlain: boolean): buildConnector.connector =>
    buildConnector({
      timeout: connectMs,
      lookup: guardedLookup(lookup, { allow, isPlain }),
    } as buildConnector.BuildOptions);
  const [plain, secure] = [build(true), build(false)];
  return new Agent({
    connections,
    pipelining: 1,
    connect: (target, callback) => {
      const host = bareHost(target.hostname);
      const isPlain = target.protocol === "http:";
      const failure = isIP(host) === 0 ? undefined : addressRefusal(host, { allow, isPlain });
      if (failure !== undefined) callback(closedError(failure), null);
      else (isPlain ? plain : secure)(target, callback);
    },
  });
}

/** Whether an error of a request says that the guard refused its target: trying again is useless. */
export function isRefusedTarget(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === refusedCode;
}

const refusedCode = "ERR_BYOM_REFUSED_TARGET";

/** A lookup that fails unless every address of the name may be called. */
function guardedLookup(
  lookup: LookupFunction,
  rules: { readonly allow: AllowList | undefined; readonly isPlain: boolean },
): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    lookup(hostname, { ...lookupOptions, all: true }, (error, found) => {
      if (error !== null && error !== undefined) {
        callback(error, "");
        return;
      }
      const addresses =
        typeof found === "string" ? [{ address: found, family: isIP(found) }] : found;
      const failure = rules.allow?.hasName(hostname)
        ? undefined
        : addresses
            .map(({ address }) => addressRefusal(address, rules))
            .find((why) => why !== undefined);
      const [first] = addresses;
      if (failure !== undefined) callback(closedError(`${hostname}: ${failure}`), "");
      else if (lookupOptions.all === true) callback(null, addresses);
      else callback(null, first?.address ?? "", first?.family);
    });
  };
}

function addressRefusal(
  address: string,
  { allow, isPlain }: { readonly allow: AllowList | undefined; readonly isPlain: boolean },
): string | undefined {
  if (allow?.hasAddress(address) === true) return undefined;
  if (isClosedAddress(address)) return `${address} is not a public address`;
  return isPlain ? "a public host must be called by https" : undefined;
}

function closedError(message: string): Error {
  return Object.assign(new Error(`refused to connect: ${message}`), { code: refusedCode });
}

/** Whether an address is private, of this machine, reserved, or anything else that a caller must not reach. */
export function isClosedAddress(address: string): boolean {
  if (isIP(address) === 0) return true;
  if (check(closedNetworks, address)) return true;
  const inner = embeddedIpv4(address);
  return inner !== undefined && check(closedNetworks, inner);
}

function check(networks: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && networks.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** A host as names are compared: lowercase, without brackets and without the root's dot. */
function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
}
