// How long a caller of a model at zero waits for the first answer: cold, restored from the memory snapshot, resumed
// from pause. The baseline is a cold start of the same version by the same platform, with a warm page cache; beside it
// stands an empty `docker start`, which no container start can beat, and the rate at which this machine copies memory.
// Every round runs all of them once. The images' environments stay in the engine, so a second run builds nothing.
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createByom, type Byom } from "../support/byom.ts";
import { callFrom } from "./cold-start/call.ts";
import { measureCopy, startEmptyContainer } from "./cold-start/machine.ts";
import { models, type Model } from "./cold-start/models.ts";
import { toRows, type Samples } from "./cold-start/rows.ts";
import { median } from "./report.ts";
import type { Benchmark } from "./run.ts";

const rounds = Number(process.env["BYOM_BENCH_ROUNDS"] ?? 5);

const benchmark: Benchmark = async ({ signal, note }) => {
  await using byom = await createByom();
  const workspace = await mkdtemp(join(tmpdir(), "byom-bench-"));
  try {
    await byom.json("up", "--detach", "--port", "0");
    for (const model of models) await deploy(byom, model, workspace, note);
    const samples = new Map(models.map((model) => [model, emptySamples()]));
    const copies = [];
    for (let round = 1; round <= rounds; round += 1) {
      copies.push(await measureCopy(join(byom.dataDirectory, "snapshots")));
      for (const [model, of] of samples) {
        signal.throwIfAborted();
        note(`round ${round}/${rounds}: ${model.name}`);
        await runRound(byom, model, of);
      }
    }
    const copy = {
      fresh: median(copies.map(({ fresh }) => fresh)),
      warm: median(copies.map(({ warm }) => warm)),
    };
    return [...samples].flatMap(([model, of]) => toRows(model, of, copy));
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
};

export default benchmark;

function emptySamples(): Samples {
  return { empty: [], cold: [], restored: [], resumed: [] };
}

async function deploy(
  byom: Byom,
  model: Model,
  workspace: string,
  note: (text: string) => void,
): Promise<void> {
  note(`building and deploying ${model.name}`);
  const directory = join(workspace, model.id.replace("/", "-"));
  await mkdir(directory);
  await cp(fileURLToPath(model.source), directory, { recursive: true });
  const pushed = await byom.json<{ snapshot: { id?: string; reason?: string } }>(
    "-C",
    directory,
    "push",
    model.id,
  );
  if (pushed.snapshot.id === undefined) {
    throw new Error(`${model.id}: no snapshot: ${pushed.snapshot.reason}`);
  }
}

async function runRound(byom: Byom, model: Model, samples: Samples): Promise<void> {
  samples.empty.push(await startEmptyContainer());
  const call = (mode: string, ...release: readonly string[]) =>
    callFrom(byom, model, { mode, release });
  samples.cold.push(await call("cold", "--to", "zero", "--next-cold"));
  samples.restored.push(await call("restored", "--to", "zero"));
  samples.resumed.push(await call("resumed", "--to", "paused"));
}
