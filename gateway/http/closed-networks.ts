import { BlockList, isIPv6 } from "node:net";

/**
 * Networks that a caller's URL must not lead to: private, of this machine, link-local (where clouds keep their
 * metadata), shared, multicast, reserved, and tunnels to any of these.
 * Source: IANA's special-purpose address registries for IPv4 and IPv6; every one that is not globally reachable.
 */
export const closedNetworks: BlockList = new BlockList();

const ipv4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  // Multicast and what is reserved above it, broadcast included.
  ["224.0.0.0", 3],
  // A public address that Azure answers from inside each machine.
  ["168.63.129.16", 32],
];

const ipv6: readonly (readonly [string, number])[] = [
  // Unspecified, loopback, IPv4-compatible.
  ["::", 96],
  // IPv4-translated.
  ["::ffff:0:0:0", 96],
  ["64:ff9b:1::", 48],
  ["100::", 64],
  // Protocol assignments, Teredo among them.
  ["2001::", 23],
  ["2001:db8::", 32],
  // 6to4: any IPv4 address inside.
  ["2002::", 16],
  ["3fff::", 20],
  ["5f00::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
];

for (const [address, prefix] of ipv4) closedNetworks.addSubnet(address, prefix, "ipv4");
for (const [address, prefix] of ipv6) closedNetworks.addSubnet(address, prefix, "ipv6");

const mapped = new BlockList();
mapped.addSubnet("::ffff:0:0", 96, "ipv6");
/** NAT64 (RFC 6052): on a network without IPv4 every public IPv4 host has such an address, and every private one too. */
const nat64 = new BlockList();
nat64.addSubnet("64:ff9b::", 96, "ipv6");

/** The IPv4 address in an IPv4-mapped or NAT64 one. */
export function embeddedIpv4(address: string): string | undefined {
  if (!isIPv6(address)) return undefined;
  if (!mapped.check(address, "ipv6") && !nat64.check(address, "ipv6")) return undefined;
  const dotted = /[\d.]+$/.exec(address)?.[0] ?? "";
  if (dotted.includes(".")) return dotted;
  // The parser of URLs writes the shortest form; its last two groups are the address.
  const [, , , , , , high = "0", low = "0"] = expand(address);
  const value = Number.parseInt(high, 16) * 0x1_0000 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** The eight groups of an IPv6 address without a dotted part. */
function expand(address: string): readonly string[] {
  const [left = "", right] = address.split("::");
  const head = left === "" ? [] : left.split(":");
  if (right === undefined) return head;
  const tail = right === "" ? [] : right.split(":");
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail];
}
