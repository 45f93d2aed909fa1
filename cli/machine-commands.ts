import type { CommandEntry } from "./command.ts";

/** What this machine has, can and knows. */
export const machineCommands: readonly CommandEntry[] = [
  {
    name: "doctor",
    summary: "check this machine, and the model repo when there is one; mend the repo with --fix",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "config",
    summary: "the model repo's settings as they take effect, each with its origin",
    load: async () => (await import("./commands/config.ts")).config,
  },
  {
    name: "config schema",
    summary: "the JSON Schema of cog.yaml or byom.yaml (KIND: cog or byom), for editors",
    load: async () => (await import("./commands/config.ts")).configSchema,
  },
  {
    name: "compat show",
    summary:
      "which versions of torch, TensorFlow, CUDA and GPUs go together, and from where byom knows",
    load: async () => (await import("./commands/compat.ts")).compatShow,
  },
  {
    name: "compat update",
    summary: "take a newer compatibility table, without a new byom",
    load: async () => (await import("./commands/compat.ts")).compatUpdate,
  },
  {
    name: "compat reset",
    summary: "go back to the compatibility table of this release",
    load: async () => (await import("./commands/compat.ts")).compatReset,
  },
  {
    name: "host setup",
    summary:
      "install and start what this machine lacks: engine, CRIU, OCI runtime, registry, base image",
    load: async () => (await import("./commands/host.ts")).hostSetup,
  },
  {
    name: "host check",
    summary: "what this machine can do, and what it would take to do more",
    load: async () => (await import("./commands/host.ts")).hostCheck,
  },
  {
    name: "host teardown",
    summary: "take back what `host setup` did",
    load: async () => (await import("./commands/host.ts")).hostTeardown,
  },
  {
    name: "host base-image",
    summary: "make a Python base image from the distribution's packages",
    load: async () => (await import("./commands/host.ts")).hostBaseImage,
  },
];
