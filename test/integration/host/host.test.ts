// On the machine itself: the CRIU that set-up chose, a registry of our own, and a user without rights.
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyCriu } from "../../../host/criu/probe.ts";
import {
  checkHost,
  loadHostSettings,
  planHostSetup,
  resolveDirectories,
} from "../../../host/index.ts";
import { detectDistribution } from "../../../host/packages/distribution.ts";
import { isRegistryHealthy } from "../../../host/registry/probe.ts";
import {
  provideRegistryProgram,
  startRegistryProcess,
  stopRegistryProcess,
} from "../../../host/registry/process.ts";

const environment = process.env;
const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;
const directories = resolveDirectories(environment, isRoot);
const criu = (await loadHostSettings(directories)).criu;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "byom-host-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// Needs root and the set-up that `npm test` runs first; a user without either cannot have snapshots.
describe.runIf(isRoot && criu !== undefined)("CRIU", () => {
  it("of the set-up dumps and restores a process with TCP sockets", async () => {
    expect(await verifyCriu(criu?.path ?? "", { environment, signal })).toEqual({
      isUsable: true,
      version: criu?.version,
    });
  });

  it("that passes its own check but cannot dump is refused with CRIU's reason", async () => {
    const broken = join(folder, "criu");
    await writeFile(
      broken,
      `#!/bin/sh\ncase $1 in\n--version) echo 'Version: 9.9' ;;\ncheck) ;;\n*) echo 'Error (criu/sockets.c:1): no such option'; exit 1 ;;\nesac\n`,
    );
    await chmod(broken, 0o755);
    expect(await verifyCriu(broken, { environment, signal })).toEqual({
      isUsable: false,
      version: "9.9",
      reason: "dump: no such option",
    });
  });

  it("that is not there is refused", async () => {
    const verdict = await verifyCriu(join(folder, "none"), { environment, signal });
    expect(verdict.isUsable).toBe(false);
  });
});

describe("a registry of our own", () => {
  it("starts from the distribution's package, answers, and stops", async () => {
    const own = resolveDirectories({ BYOM_DATA_DIR: join(folder, "data") }, isRoot);
    const options = { directories: own, environment, signal };
    const program = await provideRegistryProgram(await detectDistribution(options), options);
    const address = await startRegistryProcess(program, await freePort(), options);
    expect(await isRegistryHealthy(address, { signal })).toBe(true);
    expect(await stopRegistryProcess(options)).toBe(true);
    expect(await isRegistryHealthy(address, { signal })).toBe(false);
    expect(await stopRegistryProcess(options)).toBe(false);
  });
});

describe("the capability report", () => {
  it("has a line for everything and never fails, an engine or not", async () => {
    for (const host of [undefined, "unix:///nowhere.sock", "tcp://127.0.0.1:1", "nonsense"]) {
      const asked = host === undefined ? environment : { ...environment, DOCKER_HOST: host };
      const report = await checkHost({ directories, environment: asked, signal });
      expect(report.items.map((item) => item.name)).toEqual([
        "engine",
        "oci runtime",
        "criu",
        "userfaultfd",
        "transparent huge pages",
        "gpu",
        "registry",
        "base image",
        "root",
        "disk",
      ]);
      expect(report.items.filter((item) => item.status === "missing" && !item.hint)).toEqual([]);
      if (host !== undefined) expect(report.startModes.some((mode) => mode.isPossible)).toBe(false);
    }
  });

  it("changes nothing without root and says what root would give", async () => {
    const plan = await planHostSetup({ directories, environment, signal, isRoot: false });
    const needRoot = ["engine-install", "engine-start", "criu", "oci-runtime"];
    expect(plan.steps.filter((step) => needRoot.includes(step.id))).toEqual([]);
    const report = await checkHost({ directories, environment, signal, isRoot: false });
    const restored = report.startModes.find((mode) => mode.mode === "restored");
    expect(restored).toMatchObject({ isPossible: false, reason: expect.stringContaining("root") });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
