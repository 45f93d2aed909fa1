import type { CommandEntry } from "../command.ts";

/**
 * Every verb, in the order of `byom --help`: from a repo to a call, then the platform, then the host. Only the chosen
 * one is loaded: what one command needs (an engine's client, gRPC, a parser) costs the others most of a second.
 */
export const commands: readonly CommandEntry[] = [
  {
    name: "init",
    summary: "write a working model repo",
    load: async () => (await import("./init.ts")).init,
  },
  {
    name: "plan",
    summary: "what will be built, and why; needs no Docker and no network",
    load: async () => (await import("./plan.ts")).plan,
  },
  {
    name: "build",
    summary: "build the image: environment by BuildKit, weights and code laid on top",
    load: async () => (await import("./build.ts")).build,
  },
  {
    name: "run",
    aliases: ["predict"],
    summary: "run one prediction in a container of this machine, as cog does",
    load: async () => (await import("./run.ts")).run,
  },
  {
    name: "push",
    summary: "build, push to the registry, deploy, snapshot, and list the model in the catalog",
    load: async () => (await import("./push.ts")).push,
  },
  {
    name: "call",
    summary: "call a model of the platform",
    load: async () => (await import("./call.ts")).call,
  },
  {
    name: "up",
    summary: "run the platform: runtime and gateway on one port",
    load: async () => (await import("./up.ts")).up,
  },
  {
    name: "down",
    summary: "stop the platform and remove its instances; models, snapshots and keys stay",
    load: async () => (await import("./down.ts")).down,
  },
  {
    name: "status",
    summary: "the platform, its models and their instances",
    load: async () => (await import("./status.ts")).status,
  },
  {
    name: "models list",
    aliases: ["models"],
    summary: "models that can be called",
    load: async () => (await import("./models.ts")).modelsList,
  },
  {
    name: "versions",
    summary: "versions of a model, newest first",
    load: async () => (await import("./models.ts")).versions,
  },
  {
    name: "promote",
    summary: "give a version its share of the traffic",
    load: async () => (await import("./models.ts")).promote,
  },
  {
    name: "rollback",
    summary: "go back to the release before, or to a version",
    load: async () => (await import("./models.ts")).rollback,
  },
  {
    name: "scale",
    summary: "change a model's scaling, or let its idle instances go now",
    load: async () => (await import("./models.ts")).scale,
  },
  {
    name: "logs",
    summary: "what the instances of a model printed",
    load: async () => (await import("./models.ts")).logs,
  },
  {
    name: "snapshot list",
    aliases: ["snapshot"],
    summary: "memory snapshots, their size and state",
    load: async () => (await import("./snapshots.ts")).snapshotList,
  },
  {
    name: "snapshot rm",
    summary: "remove a snapshot; the next start is cold",
    load: async () => (await import("./snapshots.ts")).snapshotRemove,
  },
  {
    name: "keys list",
    aliases: ["keys"],
    summary: "API keys with the time of their last use, without their secrets",
    load: async () => (await import("./keys.ts")).keysList,
  },
  {
    name: "keys create",
    summary: "make an API key, for some models and some time if wanted; its secret is shown once",
    load: async () => (await import("./keys.ts")).keysCreate,
  },
  {
    name: "keys rotate",
    summary: "give an API key a new secret; the old one can stay for a grace period",
    load: async () => (await import("./keys.ts")).keysRotate,
  },
  {
    name: "keys revoke",
    aliases: ["keys rm"],
    summary: "revoke an API key at once",
    load: async () => (await import("./keys.ts")).keysRevoke,
  },
  {
    name: "doctor",
    summary: "check this machine, and the model repo when there is one",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    name: "host setup",
    summary:
      "install and start what this machine lacks: engine, CRIU, OCI runtime, registry, base image",
    load: async () => (await import("./host.ts")).hostSetup,
  },
  {
    name: "host check",
    summary: "what this machine can do, and what it would take to do more",
    load: async () => (await import("./host.ts")).hostCheck,
  },
  {
    name: "host teardown",
    summary: "take back what `host setup` did",
    load: async () => (await import("./host.ts")).hostTeardown,
  },
  {
    name: "host base-image",
    summary: "make a Python base image from the distribution's packages",
    load: async () => (await import("./host.ts")).hostBaseImage,
  },
];
