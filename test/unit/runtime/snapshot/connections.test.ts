/** Connections that leave a container. One that is missed is broken in every clone. */
import { describe, expect, it } from "vitest";

import { parseConnections } from "../../../../runtime/snapshot/connections.ts";

const header = "  sl  local_address rem_address   st tx_queue";

function row(local: string, remote: string, state: string, inode = 7): string {
  return `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 0 0 ${inode} 1 0 20`;
}

describe("connections", () => {
  it("that leave the container are named; listeners, loopback and closed ones are not", () => {
    const table = [
      header,
      row("00000000:1388", "00000000:0000", "0A"),
      row("0100007F:1388", "0100007F:A1B2", "01"),
      row("020011AC:D431", "7904528C:01BB", "01", 4711),
      row("020011AC:1388", "010011AC:A1B2", "06"),
    ].join("\n");
    expect(parseConnections(table)).toEqual([
      { remote: "140.82.4.121:443", isIncoming: false, inode: 4711 },
    ]);
  });

  it("to a port that the container serves are callers'", () => {
    const table = [
      header,
      row("00000000:1388", "00000000:0000", "0A"),
      row("020011AC:1388", "010011AC:A1B2", "01"),
      row("020011AC:C350", "010011AC:1388", "02"),
    ].join("\n");
    expect(parseConnections(table)).toMatchObject([
      { remote: "172.17.0.1:41394", isIncoming: true },
      { remote: "172.17.0.1:5000", isIncoming: false },
    ]);
  });

  it.each([
    ["0000000000000000FFFF0000010011AC", "172.17.0.1"],
    ["00470626000000000000000001000000", "[2606:4700::1]"],
    ["B80D0120010000000200000003000000", "[2001:db8:0:1:0:2:0:3]"],
  ])("over IPv6 count too: %s", (hex, address) => {
    const table = `${header}\n${row(`${hex}:1388`, `${hex}:01BB`, "01")}`;
    expect(parseConnections(table)).toMatchObject([{ remote: `${address}:443` }]);
  });

  it("over IPv6 within the container do not", () => {
    const own = "00000000000000000000000001000000";
    const mapped = "0000000000000000FFFF00000100007F";
    const table = [row(`${own}:1`, `${own}:2`, "01"), row(`${mapped}:1`, `${mapped}:2`, "01")];
    expect(parseConnections(table.join("\n"))).toEqual([]);
  });
});
