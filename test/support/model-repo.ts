import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createPlan, createSchema, loadConfig, requireConfig } from "../../builder/index.ts";
import type { Plan } from "../../builder/index.ts";
import { baseImage } from "./base-image.ts";

/** A model repo in a temporary folder. */
export interface ModelRepo extends AsyncDisposable {
  readonly directory: string;
  write(path: string, content: string | Buffer): Promise<void>;
  plan(imageName: string): Promise<Plan>;
}

/** Writes the files and plans them as the CLI does. */
export async function createModelRepo(
  files: Readonly<Record<string, string | Buffer>>,
): Promise<ModelRepo> {
  const directory = await mkdtemp(join(tmpdir(), "byom-test-repo-"));
  const write = async (path: string, content: string | Buffer): Promise<void> => {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  };
  for (const [path, content] of Object.entries(files)) await write(path, content);
  return {
    directory,
    write,
    plan: async (imageName) => await planRepo({ directory, imageName }),
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true, force: true }),
  };
}

async function planRepo(options: { directory: string; imageName: string }): Promise<Plan> {
  const { directory, imageName } = options;
  const config = requireConfig(await loadConfig({ directory }));
  const { predictor } = config;
  const schema = predictor === undefined ? undefined : await createSchema({ directory, predictor });
  return await createPlan({
    config,
    directory,
    settings: { baseImage, imageName },
    schema: schema?.document,
  });
}
