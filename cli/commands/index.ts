import type { CommandEntry } from "../command.ts";
import { machineCommands } from "../machine-commands.ts";

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
    name: "schema",
    summary: "the model's inputs and outputs as OpenAPI or TypeScript, from its source alone",
    load: async () => (await import("./schema.ts")).schema,
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
    summary: "the catalog: own models and third parties', with state and price",
    load: async () => (await import("./models-list.ts")).modelsList,
  },
  {
    name: "models show",
    summary: "one model: who serves it, what it takes, what it costs, how long it starts",
    load: async () => (await import("./models-list.ts")).modelsShow,
  },
  {
    name: "models add",
    summary: "add a provider's model, or all that it lists; callable at once",
    load: async () => (await import("./models-change.ts")).modelsAdd,
  },
  {
    name: "models remove",
    aliases: ["models rm"],
    summary: "take a third party's model out of the catalog",
    load: async () => (await import("./models-change.ts")).modelsRemove,
  },
  {
    name: "models alias",
    summary: "give a model another name, or list such names",
    load: async () => (await import("./models-change.ts")).modelsAlias,
  },
  {
    name: "models price",
    summary: "show or set what a model costs, now or from a time on, own ones too",
    load: async () => (await import("./models-price.ts")).modelsPrice,
  },
  {
    name: "models refresh",
    summary: "take newer facts and prices from a public list",
    load: async () => (await import("./models-refresh.ts")).modelsRefresh,
  },
  {
    name: "models types",
    summary: "write TypeScript types of the models' inputs and answers, for byom/client",
    load: async () => (await import("./models-types.ts")).modelsTypes,
  },
  {
    name: "models export",
    summary: "write what another gateway needs to call models here: LiteLLM, Bifrost, Portkey, …",
    load: async () => (await import("./models-export.ts")).modelsExport,
  },
  {
    name: "models register",
    summary: "register models at another gateway by its admin API; again, to update them",
    load: async () => (await import("./models-export.ts")).modelsRegister,
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
    summary: "the calls, newest first; with OWNER/NAME or INSTANCE, what instances printed",
    load: async () => (await import("./logs.ts")).logs,
  },
  {
    name: "logs show",
    summary: "one call with its legs, and its input and output when they were kept",
    load: async () => (await import("./logs.ts")).logsShow,
  },
  {
    name: "logs export",
    summary: "calls as JSON lines, oldest first",
    load: async () => (await import("./logs.ts")).logsExport,
  },
  {
    name: "logs delete",
    aliases: ["logs rm"],
    summary: "delete calls from the log by id or by filter, with their payloads",
    load: async () => (await import("./logs.ts")).logsDelete,
  },
  {
    name: "logs feedback",
    summary: "say how a call's answer was: feedback, score, metadata",
    load: async () => (await import("./logs.ts")).logsFeedback,
  },
  {
    name: "snapshot list",
    aliases: ["snapshot", "snapshots"],
    summary: "memory snapshots: model, size, age, what they saved, and why one is not used",
    load: async () => (await import("./snapshots.ts")).snapshotList,
  },
  {
    name: "snapshot create",
    summary: "take a snapshot now, time a cold and a restored start, and say whether it pays",
    load: async () => (await import("./snapshots.ts")).snapshotCreate,
  },
  {
    name: "snapshot inspect",
    summary: "what a snapshot holds, whether it fits this host, what would make it smaller",
    load: async () => (await import("./snapshots.ts")).snapshotInspect,
  },
  {
    name: "snapshot verify",
    summary: "read every byte of a snapshot again and compare it with what was captured",
    load: async () => (await import("./snapshots.ts")).snapshotVerify,
  },
  {
    name: "snapshot explain",
    summary: "why an instance started as it did: every decision with its time",
    load: async () => (await import("./snapshots.ts")).snapshotExplain,
  },
  {
    name: "snapshot push",
    summary: "push a snapshot to the registry, beside its image, signed",
    load: async () => (await import("./snapshots.ts")).snapshotPush,
  },
  {
    name: "snapshot pull",
    summary: "pull a model's snapshot that fits this host from the registry",
    load: async () => (await import("./snapshots.ts")).snapshotPull,
  },
  {
    name: "snapshot trust",
    summary: "this platform's public key, or accept snapshots that another's key has signed",
    load: async () => (await import("./snapshot-keys.ts")).snapshotTrust,
  },
  {
    name: "snapshot distrust",
    summary: "accept no more snapshots that a key has signed",
    load: async () => (await import("./snapshot-keys.ts")).snapshotDistrust,
  },
  {
    name: "snapshot rm",
    aliases: ["snapshot remove"],
    summary: "remove snapshots; the next start is cold",
    load: async () => (await import("./snapshots.ts")).snapshotRemove,
  },
  {
    name: "budgets list",
    aliases: ["budgets"],
    summary: "limits on what calls may cost, and how much of them is spent",
    load: async () => (await import("./budgets.ts")).budgetsList,
  },
  {
    name: "budgets set",
    summary: "limit what a key, model, route, provider or metadata value may cost; at once",
    load: async () => (await import("./budgets.ts")).budgetsSet,
  },
  {
    name: "budgets show",
    summary: "one budget: spent, held for calls in flight, when it opens again",
    load: async () => (await import("./budgets.ts")).budgetsShow,
  },
  {
    name: "budgets remove",
    aliases: ["budgets rm"],
    summary: "remove a budget",
    load: async () => (await import("./budgets.ts")).budgetsRemove,
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
    name: "secrets list",
    aliases: ["secrets"],
    summary: "names of a model's secrets, never their values",
    load: async () => (await import("./secrets.ts")).secretsList,
  },
  {
    name: "secrets set",
    summary: "give a model a token or password at run time, encrypted at rest and in no image",
    load: async () => (await import("./secrets.ts")).secretsSet,
  },
  {
    name: "secrets remove",
    aliases: ["secrets rm"],
    summary: "take a secret from a model",
    load: async () => (await import("./secrets.ts")).secretsRemove,
  },
  {
    name: "spend",
    summary: "what was spent, by model, key, provider, day, or any metadata of the calls",
    load: async () => (await import("./spend.ts")).spend,
  },
  {
    name: "spend settle",
    summary: "say what legs cost that a kill of the platform interrupted, by their provider's list",
    load: async () => (await import("./spend-settle.ts")).spendSettle,
  },
  {
    name: "cache clear",
    summary: "forget stored answers, of one model or all",
    load: async () => (await import("./cache.ts")).cacheClear,
  },
  {
    name: "providers list",
    aliases: ["providers"],
    summary: "third-party providers, without their keys",
    load: async () => (await import("./providers.ts")).providersList,
  },
  {
    name: "providers add",
    summary: "add or change a provider: a known one by its name, or any OpenAI-compatible base URL",
    load: async () => (await import("./providers.ts")).providersAdd,
  },
  {
    name: "providers remove",
    aliases: ["providers rm"],
    summary: "remove a provider with its key",
    load: async () => (await import("./providers.ts")).providersRemove,
  },
  {
    name: "providers test",
    summary: "ask a provider something free: can it be reached, does it take the key",
    load: async () => (await import("./providers.ts")).providersTest,
  },
  {
    name: "providers rotate",
    summary: "encrypt all stored provider keys anew",
    load: async () => (await import("./providers.ts")).providersRotate,
  },
  {
    name: "routes list",
    aliases: ["routes"],
    summary: "what dynamic/NAME stands for: models, conditions, shares, limits",
    load: async () => (await import("./routes.ts")).routesList,
  },
  {
    name: "routes show",
    summary: "one route, and how its upstreams are doing",
    load: async () => (await import("./routes.ts")).routesShow,
  },
  {
    name: "routes set",
    summary: "make or change a route from a YAML or JSON file; the next call takes it",
    load: async () => (await import("./routes.ts")).routesSet,
  },
  {
    name: "routes try",
    summary: "which models a call would try, and why; nothing is sent",
    load: async () => (await import("./routes.ts")).routesTry,
  },
  {
    name: "routes versions",
    summary: "versions of a route, newest first",
    load: async () => (await import("./routes.ts")).routesVersions,
  },
  {
    name: "routes rollback",
    summary: "go back to another version of a route",
    load: async () => (await import("./routes.ts")).routesRollback,
  },
  {
    name: "routes remove",
    aliases: ["routes rm"],
    summary: "remove a route",
    load: async () => (await import("./routes.ts")).routesRemove,
  },
  {
    name: "limits list",
    aliases: ["limits"],
    summary: "limits of requests, tokens, money and calls at once; of one with what is used",
    load: async () => (await import("./limits.ts")).limitsList,
  },
  {
    name: "limits set",
    summary: "limit calls by key, model, route or metadata; at once",
    load: async () => (await import("./limits.ts")).limitsSet,
  },
  {
    name: "limits remove",
    aliases: ["limits rm"],
    summary: "take a limit back",
    load: async () => (await import("./limits.ts")).limitsRemove,
  },
  ...machineCommands,
];
