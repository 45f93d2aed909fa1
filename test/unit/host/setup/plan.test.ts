import { release } from "node:os";
import { describe, expect, it } from "vitest";
import type { ConnectedEngine } from "../../../../host/index.ts";
import { resolveDirectories } from "../../../../host/index.ts";
import type { HostFacts } from "../../../../host/setup/facts.ts";
import { planSteps } from "../../../../host/setup/plan.ts";

const directories = resolveDirectories({}, true);
const absent = { reason: "no container engine answers: there is none", isExplicit: false };
const engine = { docker: {}, host: "unix:///var/run/docker.sock", info: {} } as ConnectedEngine;
const control = {
  isControllable: true,
  daemon: { pid: 7, settingsFile: "/etc/docker/daemon.json" },
} as const;

/** A bare Debian as root. */
const bare: HostFacts = {
  isRoot: true,
  distribution: { id: "debian", name: "Debian 12", codename: "bookworm", packageManager: "apt" },
  settings: { version: 1 },
  engine: absent,
  isEngineInstalled: false,
  startCommand: "dockerd in the background",
  isCriuVerified: false,
  isOciRuntimeCurrent: false,
  isRegistryHealthy: false,
  hasBaseImage: false,
};
const complete: HostFacts = {
  ...bare,
  engine,
  control,
  isEngineInstalled: true,
  isCriuVerified: true,
  isOciRuntimeCurrent: true,
  isRegistryHealthy: true,
  hasBaseImage: true,
};

function planned(facts: HostFacts): { steps: string[]; notes: string[] } {
  const { steps, notes } = planSteps(facts, directories);
  return { steps: steps.map((step) => step.id), notes: notes.map((note) => note.message) };
}

describe(`a set-up (kernel ${release()})`, () => {
  it("brings up everything on a bare machine, the engine first", () => {
    expect(planned(bare)).toEqual({
      steps: ["engine-install", "engine-start", "criu", "oci-runtime", "registry", "base-image"],
      notes: [],
    });
  });

  it("says of each step what, why and with which command", () => {
    expect(planSteps(bare, directories).steps[0]).toEqual({
      id: "engine-install",
      what: "install Docker Engine from Debian 12's packages",
      why: "no container engine answers and none is installed",
      command: "apt-get install -y --no-install-recommends docker.io iptables",
    });
  });

  it("does nothing on a machine that is set up", () => {
    expect(planned(complete)).toEqual({ steps: [], notes: [] });
  });

  it("starts an installed engine without installing it again", () => {
    expect(planned({ ...complete, engine: absent, isEngineInstalled: true }).steps).toEqual([
      "engine-start",
    ]);
  });

  it("repairs only what broke: a new kernel asks for CRIU's proof again", () => {
    expect(planned({ ...complete, isCriuVerified: false }).steps).toEqual(["criu"]);
  });

  it("leaves an engine alone that is somebody else's, but sets up registry and base image", () => {
    const reason = "Docker Desktop's engine runs in a virtual machine";
    const facts = {
      ...bare,
      engine,
      control: { isControllable: false, reason, hint: "…" } as const,
    };
    expect(planned(facts)).toEqual({
      steps: ["registry", "base-image"],
      notes: [`no snapshots: ${reason}; cold and paused starts work`],
    });
  });

  it("never installs a second engine beside the one that DOCKER_HOST names", () => {
    const explicit = { reason: "tcp://far:2375 (DOCKER_HOST): ECONNREFUSED", isExplicit: true };
    expect(planned({ ...bare, engine: explicit })).toEqual({ steps: [], notes: [explicit.reason] });
  });

  it("does not try what needs root without root, and says how to get it", () => {
    const { steps, notes } = planSteps({ ...bare, isRoot: false }, directories);
    expect(steps).toEqual([]);
    expect(notes[0]?.hint).toContain("sudo byom host setup");
  });
});
