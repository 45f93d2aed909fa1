import { describe, expect, it } from "vitest";
import { hostPaths, resolveDirectories } from "../../../host/index.ts";

describe("where byom keeps things", () => {
  it("uses the system's folders as root, whatever the home is", () => {
    expect(resolveDirectories({ HOME: "/root", XDG_DATA_HOME: "/elsewhere" }, true)).toEqual({
      data: "/var/lib/byom",
      config: "/etc/byom",
      run: "/run/byom",
    });
  });

  it("stays in the home of a user who may not write elsewhere", () => {
    expect(resolveDirectories({ HOME: "/home/ada" }, false)).toEqual({
      data: "/home/ada/.local/share/byom",
      config: "/home/ada/.config/byom",
      run: "/home/ada/.local/share/byom/run",
    });
  });

  it("follows the XDG folders of a user", () => {
    const environment = {
      HOME: "/home/ada",
      XDG_DATA_HOME: "/data",
      XDG_CONFIG_HOME: "/config",
      XDG_RUNTIME_DIR: "/run/user/1000",
    };
    expect(resolveDirectories(environment, false)).toEqual({
      data: "/data/byom",
      config: "/config/byom",
      run: "/run/user/1000/byom",
    });
  });

  it("keeps a set-up elsewhere apart from the system's, its run state too", () => {
    expect(resolveDirectories({ BYOM_DATA_DIR: "/mnt/big" }, true)).toEqual({
      data: "/mnt/big",
      config: "/mnt/big/config",
      run: "/mnt/big/run",
    });
  });

  it("puts the runtime and CRIU where dockerd and runc look for them", () => {
    const paths = hostPaths(resolveDirectories({}, true));
    expect([paths.ociRuntime, paths.criu, paths.criuPrefix]).toEqual([
      "/var/lib/byom/bin/byom-runc",
      "/var/lib/byom/bin/criu",
      "/var/lib/byom/criu",
    ]);
  });
});
