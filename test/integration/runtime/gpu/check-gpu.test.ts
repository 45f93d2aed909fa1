// `npm run check:gpu` on this machine. Where there is a GPU, device memory must come back as it was; elsewhere it must
// say in one line why it cannot be tried.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("../../../../scripts/check-gpu.ts", import.meta.url));
/** Exit code of a machine that cannot try. */
const cannotTry = 2;

it("takes device memory out of a process and gives it back the same, or says why it cannot", (context) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--mib", "256"], {
    encoding: "utf8",
  });
  if (status === cannotTry) {
    expect(stdout.trim().split("\n")).toEqual([
      expect.stringMatching(/^check:gpu cannot run here: ./),
    ]);
    process.stderr.write(`skipped: ${stdout}`);
    return context.skip(stdout.trim());
  }
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stdout).toMatch(/256 MiB of device memory came back as they were/);
});
