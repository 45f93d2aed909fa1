import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HostSettings, loadHostSettings } from "../../../host/index.ts";
import { saveHostSettings } from "../../../host/settings.ts";

const settings: HostSettings = {
  version: 1,
  registry: { address: "127.0.0.1:5000", kind: "process" },
  baseImages: { python: "byom-base/python:{version}" },
  hugePages: false,
};

describe("host.json", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "byom-settings-"));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });
  const directoriesOf = (name: string) => {
    const data = join(root, name);
    return { data, config: join(data, "config"), run: join(data, "run") };
  };

  it("comes back as it was saved, and no half-written file stays", async () => {
    const directories = directoriesOf("data");
    await saveHostSettings(directories, settings);
    expect(await loadHostSettings(directories)).toEqual(settings);
    expect(await readdir(directories.data)).toEqual(["host.json"]);
  });

  it("of the system is read by a user who has none", async () => {
    await saveHostSettings(directoriesOf("system"), settings);
    const systemDirectory = join(root, "system");
    expect(await loadHostSettings(directoriesOf("user"), { systemDirectory })).toEqual(settings);
  });

  it("is empty on a host that was never set up", async () => {
    const systemDirectory = join(root, "nowhere");
    const empty = await loadHostSettings(directoriesOf("user"), { systemDirectory });
    expect(empty).toEqual({ version: 1 });
  });

  it("that is damaged is named with the way out, not taken for an empty one", async () => {
    const directories = directoriesOf("data");
    await mkdir(directories.data);
    for (const text of ["{", '{"version":1,"registry":{"address":5000}}']) {
      await writeFile(join(directories.data, "host.json"), text);
      await expect(loadHostSettings(directories)).rejects.toMatchObject({
        code: "HOST_SETTINGS_INVALID",
        message: expect.stringContaining("host.json"),
        hint: expect.stringContaining("byom host setup"),
      });
    }
  });
});
