import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  addRuntime,
  backUpDaemonSettings,
  removeRuntime,
  restoreDaemonSettings,
  withRuntimesKey,
  writeDaemonSettings,
} from "../../../../host/engine/daemon-settings.ts";

const runtime = { name: "byom", path: "/var/lib/byom/bin/byom-runc" };
const others = `{
    "log-driver": "journald",
    "runtimes": {
        "nvidia": {
            "path": "nvidia-container-runtime",
            "runtimeArgs": []
        }
    },
    "data-root": "/mnt/docker"
}
`;

describe("dockerd's settings", () => {
  it("gain the runtime and keep every other key, their order and the indentation", () => {
    expect(addRuntime(others, runtime)).toBe(`{
    "log-driver": "journald",
    "runtimes": {
        "nvidia": {
            "path": "nvidia-container-runtime",
            "runtimeArgs": []
        },
        "byom": {
            "path": "/var/lib/byom/bin/byom-runc"
        }
    },
    "data-root": "/mnt/docker"
}
`);
  });

  it("lose exactly the runtime: what was there before comes back", () => {
    expect(removeRuntime(addRuntime(others, runtime), "byom")).toBe(others);
    expect(removeRuntime(addRuntime("{}\n", runtime), "byom")).toBe("{}\n");
  });

  it("are not touched, not even in format, when the runtime is not in them", () => {
    const text = '{"log-driver":   "local"}';
    expect(removeRuntime(text, "byom")).toBe(text);
  });

  it("tell dockerd to forget its runtimes when none is left", () => {
    expect(JSON.parse(withRuntimesKey('{"debug": true}'))).toEqual({ debug: true, runtimes: {} });
  });

  it.each(["[1]", "{,}", '{"runtimes": []}'])("that are no settings are refused: %s", (text) => {
    expect(() => addRuntime(text, runtime)).toThrow(
      expect.objectContaining({ code: "HOST_DAEMON_SETTINGS_INVALID" }),
    );
  });
});

describe("the file of dockerd's settings", () => {
  const signal = new AbortController().signal;
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "byom-daemon-"));
    file = join(folder, "docker", "daemon.json");
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it("comes back byte by byte after the runtime was added and removed, with its permissions", async () => {
    const odd = '{"log-driver":   "local"}';
    await writeDaemonSettings(file, odd, { signal });
    await writeFile(file, odd, { mode: 0o600 });
    const { mode } = await stat(file);
    await backUpDaemonSettings(file);
    const added = addRuntime(odd, runtime);
    await writeDaemonSettings(file, added, { signal });
    await backUpDaemonSettings(file);
    expect((await stat(file)).mode).toBe(mode);
    await restoreDaemonSettings(file, removeRuntime(added, "byom"), { signal });
    expect(await readFile(file, "utf8")).toBe(odd);
    expect(await readdir(join(folder, "docker"))).toEqual(["daemon.json"]);
  });

  it("is gone again when there was none before", async () => {
    await writeDaemonSettings(file, addRuntime("{}\n", runtime), { signal });
    await restoreDaemonSettings(file, "{}\n", { signal });
    expect(await readdir(join(folder, "docker"))).toEqual([]);
  });

  it("keeps what an administrator changed in the meantime", async () => {
    await writeDaemonSettings(file, '{"debug": false}', { signal });
    await backUpDaemonSettings(file);
    await restoreDaemonSettings(file, '{"debug": true}', { signal });
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ debug: true });
  });
});
