// The phases that a user reads to see where a slow restore spends its time.
import { describe, expect, it } from "vitest";
import { readRestoreLog } from "../../../../runtime/snapshot/restore-log.ts";

const log = [
  "(00.000001) Version: 4.2.1 (gitid 0)",
  "(00.079299) \tRPC",
  "(00.361111)      1: cg: Move into 2",
  "(00.456752) pie: 11: Preadv 0x1a340000:524288... (407 iovs)",
  "(00.470276) pie: 7: `- returned 26284032",
  "(00.473481) pie: 9: 9: Restored",
  "(00.534656) pie: 11: `- returned 81575936",
  "(00.542483) \tRPC",
].join("\n");

describe("CRIU's log of a restore", () => {
  it("tells the network hook and the filling of memory apart", () => {
    expect(readRestoreLog(log, 107_859_968)).toEqual([
      { name: "network", ms: 282 },
      { name: "memory", ms: 78, bytes: 107_859_968 },
    ]);
  });

  it("gives no phases when it is cut off or of another kind", () => {
    expect(readRestoreLog(log.split("\n").slice(0, 2).join("\n"), 1)).toEqual([]);
    expect(readRestoreLog("", 1)).toEqual([]);
  });
});
