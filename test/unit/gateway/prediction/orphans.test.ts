import { describe, expect, it } from "vitest";

import type { GatewayEvent } from "../../../../gateway/events.ts";
import { Orphans } from "../../../../gateway/prediction/orphans.ts";
import type { Run } from "../../../../gateway/prediction/run.ts";

// Streams for nobody cost money: there is a bound, and what is left longest ends first.

function run(id: string, canceled: string[], isRecorded = false): Run {
  const fake = {
    id,
    entry: { id: "acme/chat" },
    request: { isRecorded },
    cancel: () => canceled.push(id) > 0,
  };
  return fake as unknown as Run;
}

describe("streams for nobody", () => {
  it("are bounded: one too many ends the one that was left first", () => {
    const canceled: string[] = [];
    const events: GatewayEvent[] = [];
    const orphans = new Orphans((event) => events.push(event), 2);
    const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => run(id, canceled));
    if (!a || !b || !c || !d) return;
    orphans.mark(a, true);
    orphans.mark(b, true);
    orphans.mark(a, false);
    orphans.mark(c, true);
    expect(canceled).toEqual([]);
    orphans.mark(d, true);
    expect(canceled).toEqual(["b"]);
    expect(events).toEqual([{ type: "orphan-cancel", predictionId: "b", model: "acme/chat" }]);
    expect(orphans.count).toBe(2);
  });

  it("are none of those that were accepted: they are for whoever asks later", () => {
    const canceled: string[] = [];
    const orphans = new Orphans(() => undefined, 0);
    orphans.mark(run("a", canceled, true), true);
    expect([orphans.count, canceled]).toEqual([0, []]);
  });
});
