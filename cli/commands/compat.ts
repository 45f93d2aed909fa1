import {
  readCompatibilityTable,
  resetCompatibilityTable,
  updateCompatibilityTable,
} from "../../builder/index.ts";
import type { Command } from "../command.ts";

export const compatShow: Command = {
  usage: "",
  async run({ context }) {
    const { directories, output, signal } = context;
    const { table, origin } = await readCompatibilityTable({
      dataDirectory: directories.data,
      signal,
    });
    const span = (releases: readonly { readonly version: string }[]): string =>
      `${releases.length} releases, ${releases[0]?.version} to ${releases.at(-1)?.version}`;
    const lines = [
      `date        ${table.date} (${origin})`,
      `torch       ${span(table.torch)}`,
      `tensorflow  ${span(table.tensorflow)}`,
      `cuda        ${span(table.cuda)}`,
      `gpus        ${table.gpus.flatMap(({ names }) => names).join(", ")}`,
      "sources:",
      ...table.sources.map((source) => `  ${source}`),
    ];
    output.answer(lines.join("\n"), { origin, table });
  },
};

export const compatUpdate: Command = {
  usage: "FILE|URL",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const { directories, output, signal } = context;
    const [source = ""] = positionals;
    const dataDirectory = directories.data;
    const { date } = await updateCompatibilityTable({ dataDirectory, source, signal });
    const { table, origin } = await readCompatibilityTable({ dataDirectory, signal });
    const isUsed = origin !== "bundled";
    const text = isUsed
      ? `the compatibility table of ${date} is used now`
      : `the table of ${date} is kept, but that of this release is newer (${table.date}) and is used`;
    output.answer(text, { date, isUsed });
  },
};

export const compatReset: Command = {
  usage: "",
  async run({ context }) {
    const dataDirectory = context.directories.data;
    await resetCompatibilityTable(dataDirectory);
    const { table } = await readCompatibilityTable({ dataDirectory, signal: context.signal });
    context.output.answer(`the compatibility table of this release, ${table.date}, is used now`, {
      date: table.date,
    });
  },
};
