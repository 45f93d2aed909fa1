import { cp, readdir, readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "../command.ts";
import { CommandError, UsageError } from "../errors.ts";

/** In the sources templates/ lies beside cli/, in the package beside dist/. */
const templatesDirectory = ["../../templates", "../../../templates"]
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

const defaultTemplate = "chat";

export const init: Command = {
  usage: "[DIR] [--template NAME]",
  positionals: { min: 0, max: 1 },
  options: {
    template: {
      type: "string",
      short: "t",
      value: "NAME",
      help: "chat (a small language model, default), ocr (reads text in pictures) or embeddings (of sentences)",
    },
    force: { type: "boolean", help: "overwrite files that exist" },
  },
  async run({ positionals, flags, context }) {
    const directory = resolve(context.directory, positionals[0] ?? ".");
    const name = flags.text("template") ?? defaultTemplate;
    const source = await findTemplate(name);
    const files = (await readdir(source, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => relative(source, join(entry.parentPath, entry.name)))
      .toSorted();
    const existing = files.filter((file) => existsSync(join(directory, file)));
    if (existing.length > 0 && !flags.has("force")) {
      throw new CommandError({
        code: "files_exist",
        message: `${directory} already has ${existing.join(", ")}`,
        hint: "choose another folder (byom init my-model), or overwrite them with --force",
        details: { existing },
      });
    }
    await cp(source, directory, { recursive: true });
    const path = relative(process.cwd(), directory) || ".";
    const where = path.startsWith("..") ? directory : path;
    const change = where === "." ? "" : `-C ${where} `;
    const example = await exampleInput(source);
    context.output.answer(
      [
        `Wrote ${files.join(", ")} to ${directory}`,
        "",
        `  byom ${change}plan          # what will be built, and why`,
        `  byom ${change}run ${example}`,
        `  byom ${change}push me/${name}   # registry, deploy, snapshot, catalog`,
      ].join("\n"),
      { directory, template: name, files },
    );
  },
};

async function findTemplate(name: string): Promise<string> {
  if (templatesDirectory === undefined) {
    throw new CommandError({
      code: "templates_missing",
      message: "the package has no templates folder",
      hint: "install byom again",
    });
  }
  const names = (await readdir(templatesDirectory)).toSorted();
  if (!names.includes(name)) {
    throw new UsageError(`there is no template "${name}"`, `templates: ${names.join(", ")}`);
  }
  return join(templatesDirectory, name);
}

/** `-i` flags of the template's example, from the comment-free shape of its byom.yaml. */
async function exampleInput(source: string): Promise<string> {
  const text = await readFile(join(source, "byom.yaml"), "utf8");
  const match = /^\s+(image|prompt|texts): \[?"?(.+?)"?\]?$/m.exec(text);
  return match === null ? "" : `-i ${match[1]}='${match[2]}'`;
}
