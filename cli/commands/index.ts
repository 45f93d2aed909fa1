import type { Command } from "../command.ts";
import { build } from "./build.ts";
import { call } from "./call.ts";
import { doctor } from "./doctor.ts";
import { down } from "./down.ts";
import { hostBaseImage, hostCheck, hostSetup, hostTeardown } from "./host.ts";
import { init } from "./init.ts";
import { keysCreate, keysList, keysRemove } from "./keys.ts";
import { logs, modelsList, promote, rollback, scale, versions } from "./models.ts";
import { plan } from "./plan.ts";
import { push } from "./push.ts";
import { run } from "./run.ts";
import { snapshotList, snapshotRemove } from "./snapshots.ts";
import { status } from "./status.ts";
import { up } from "./up.ts";

/** Every verb, in the order of `byom --help`: from a repo to a call, then the platform, then the host. */
export const commands: readonly Command[] = [
  init,
  plan,
  build,
  run,
  push,
  call,
  up,
  down,
  status,
  modelsList,
  versions,
  promote,
  rollback,
  scale,
  logs,
  snapshotList,
  snapshotRemove,
  keysList,
  keysCreate,
  keysRemove,
  doctor,
  hostSetup,
  hostCheck,
  hostTeardown,
  hostBaseImage,
];
