import { describe, expect, it } from "vitest";
import { baseImageCommand } from "../../../../host/base-image/make.ts";

const mirror = {
  url: "http://mirror.example/debian",
  securityUrl: "http://mirror.example/debian-security",
  keyring: "/usr/share/keyrings/debian-archive-keyring.gpg",
};

describe("the command that makes a Python base", () => {
  it("streams the suite that ships the version, security updates included, with nothing of the host but its mirror", () => {
    const command = baseImageCommand("3.13", mirror);
    expect(command.slice(-5)).toEqual([
      "trixie",
      "-",
      "deb http://mirror.example/debian trixie main",
      "deb http://mirror.example/debian trixie-updates main",
      "deb http://mirror.example/debian-security trixie-security main",
    ]);
    expect(command).toContain(
      "--include=python3,python3-pip,python3-venv,python-is-python3,ca-certificates,tini",
    );
  });

  it("leaves security updates out where the mirror has none", () => {
    const { securityUrl: _, ...plain } = mirror;
    expect(baseImageCommand("3.11", plain).slice(-3)).toEqual([
      "-",
      "deb http://mirror.example/debian bookworm main",
      "deb http://mirror.example/debian bookworm-updates main",
    ]);
  });

  it("says which versions are possible when asked for another", () => {
    expect(() => baseImageCommand("3.12", mirror)).toThrow(
      expect.objectContaining({
        code: "HOST_BASE_IMAGE_UNSUPPORTED",
        hint: expect.stringContaining("3.11, 3.13"),
      }),
    );
  });
});
