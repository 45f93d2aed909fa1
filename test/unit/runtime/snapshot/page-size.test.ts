// A host where huge pages are slow must not pay for them at every start, and one where they are fast must get them.
import { describe, expect, it } from "vitest";
import { PageSizeChoice } from "../../../../runtime/snapshot/page-size.ts";

const gibibyte = 2 ** 30;

describe("the pages that a restore fills memory with", () => {
  it("are small for small snapshots, and huge for large ones until something was measured", () => {
    const choice = new PageSizeChoice();
    expect(choice.choose(100 * 2 ** 20)).toBe("small");
    expect(choice.choose(gibibyte)).toBe("huge");
  });

  it("are small where the operator leaves the host's huge pages alone", () => {
    expect(new PageSizeChoice(false).choose(gibibyte)).toBe("small");
  });

  it("are small once huge ones have shown to be slow here", () => {
    const choice = new PageSizeChoice();
    choice.record("huge", { bytes: gibibyte, ms: 3500 });
    expect(choice.choose(gibibyte)).toBe("small");
  });

  it("stay huge where those are the faster ones", () => {
    const choice = new PageSizeChoice();
    choice.record("huge", { bytes: gibibyte, ms: 130 });
    choice.record("small", { bytes: gibibyte, ms: 760 });
    expect(choice.choose(gibibyte)).toBe("huge");
  });

  it("go back to huge when small ones are slower still", () => {
    const choice = new PageSizeChoice();
    choice.record("huge", { bytes: gibibyte, ms: 3500 });
    choice.record("small", { bytes: gibibyte, ms: 7000 });
    expect(choice.choose(gibibyte)).toBe("huge");
  });
});
