import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { isDigest, type Digest } from "../../../registry-client/index.ts";
import type { SnapshotDirectory } from "../directory.ts";
import type { SnapshotLayer } from "./document.ts";

const layersSchema = z.record(
  z.string(),
  z.object({
    digest: z.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
    size: z.number(),
    sizeBytes: z.number(),
    chunk: z.object({ path: z.string(), offset: z.number() }).optional(),
  }),
);

const journalSchema = z.object({ place: z.string(), layers: layersSchema });

/** Beside the snapshots; a name with a dot is none. */
const folder = ".push";

/**
 * What of a snapshot has arrived in a repository, so that a push that was cut off goes on, and one that was done before
 * reads no memory again. Only a hint: the registry is asked for every layer.
 */
export class PushJournal {
  readonly #file: string;
  readonly #place: string;
  readonly #layers: Map<string, SnapshotLayer>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, place: string, layers: ReadonlyMap<string, SnapshotLayer>) {
    this.#file = file;
    this.#place = place;
    this.#layers = new Map(layers);
  }

  /** Journals of snapshots that are gone are removed. */
  static async open(
    directory: SnapshotDirectory,
    snapshotId: string,
    place: string,
  ): Promise<PushJournal> {
    const path = join(directory.path, folder);
    await mkdir(path, { recursive: true, mode: 0o700 });
    for (const name of await readdir(path)) {
      const isAlive = (await directory.read(name.replace(/\.json.*$/, ""))) !== undefined;
      if (!isAlive) await rm(join(path, name), { force: true });
    }
    const file = join(path, `${snapshotId}.json`);
    const known = journalSchema.safeParse(parseJson(await readFile(file, "utf8").catch(() => "")));
    const isSame = known.success && known.data.place === place;
    return new PushJournal(file, place, new Map(isSame ? Object.entries(known.data.layers) : []));
  }

  find(name: string): SnapshotLayer | undefined {
    return this.#layers.get(name);
  }

  /** One write after another: chunks end at the same time. */
  async add(name: string, layer: SnapshotLayer): Promise<void> {
    this.#layers.set(name, layer);
    this.#writing = this.#writing.then(async () => await this.#write());
    await this.#writing;
  }

  async #write(): Promise<void> {
    const text = JSON.stringify({ place: this.#place, layers: Object.fromEntries(this.#layers) });
    await writeFile(`${this.#file}.new`, text, { mode: 0o600 });
    await rename(`${this.#file}.new`, this.#file);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
