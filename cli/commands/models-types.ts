import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import type { Command } from "../command.ts";
import { CommandError } from "../errors.ts";
import { renderDeclaration, type TypedModel } from "../model-types/declaration.ts";
import { connectPlatform, type PlatformClient } from "../platform-client.ts";

export const modelsTypes: Command = {
  usage: "[OWNER/NAME…] [--output FILE]",
  positionals: { min: 0, max: 100 },
  options: {
    output: {
      type: "string",
      short: "o",
      value: "FILE",
      help: "write them there, such as src/byom-models.d.ts",
    },
  },
  async run({ positionals, flags, context }) {
    const platform = await connectPlatform(context);
    const all = await listModels(platform);
    const models = positionals.length === 0 ? all : positionals.map((name) => find(all, name));
    const text = renderDeclaration(models);
    const file = flags.text("output");
    const names = models.map(({ name }) => name);
    if (file === undefined) {
      context.output.answer(text, { models: names, declaration: text });
      return;
    }
    const path = resolve(process.cwd(), file);
    await writeFile(path, text);
    context.output.answer(`${path}: types of ${names.length} models`, { models: names, path });
  },
};

function find(models: readonly TypedModel[], name: string): TypedModel {
  const found = models.find((model) => model.name === name);
  if (found !== undefined) return found;
  throw new CommandError({
    code: "model_not_found",
    message: `there is no model ${name}`,
    hint: "`byom models list` shows those that this key may call",
  });
}

/** Models of one page of the catalog. */
const pageSize = 200;

interface SearchAnswer {
  readonly result: readonly {
    readonly name: string;
    readonly description: string;
    readonly task: { readonly name: string };
    readonly schema: Pick<TypedModel, "input" | "output">;
  }[];
  readonly result_info: { readonly total_count: number };
}

async function listModels(platform: PlatformClient): Promise<readonly TypedModel[]> {
  const models: TypedModel[] = [];
  for (let page = 1; ; page += 1) {
    const path = `/client/v4/accounts/local/ai/models/search?page=${page}&per_page=${pageSize}`;
    const { result, result_info: info } = (await platform.call("GET", path)) as SearchAnswer;
    models.push(
      ...result.map(({ name, description, task, schema }) => ({
        name,
        description,
        task: task.name,
        ...schema,
      })),
    );
    if (result.length === 0 || models.length >= info.total_count) return models;
  }
}
