import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasErrors } from "../config/problems.ts";
import { cogYamlSchema } from "../config/schema.ts";
import { checkSemantics } from "../config/semantics.ts";
import { parseSource } from "../config/source.ts";
import { RepositoryReadError } from "../errors.ts";
import { createSchema } from "../python-schema/create-schema.ts";
import { createPythonParser, syntaxErrorLineOf } from "../python-schema/syntax.ts";
import { findKeyRepairs } from "./cog-keys.ts";
import { findPackageRepairs } from "./cog-packages.ts";
import { findValueRepairs } from "./cog-values.ts";
import { findPredictorRepairs } from "./predictor.ts";
import { applyEdits, type Repair } from "./repair.ts";
import { commentsOf, scalarOf, YamlText } from "./yaml-text.ts";

/** Each repair removes what it was found for: more rounds than this are two repairs that undo each other. */
const roundsMax = 500;

/** What would change, and why. */
export interface RepairPlan {
  /** In the order in which they are done; each line is that of the text at its turn. */
  readonly repairs: readonly Repair[];
  readonly files: readonly RepairedFile[];
}

export interface RepairedFile {
  readonly path: string;
  /** Undefined for a file that the repair writes anew. */
  readonly before: string | undefined;
  readonly after: string;
}

/**
 * Finds what can be mended without a decision of the author, in cog.yaml and in the file of its predictor. Nothing is
 * written. A repair that would lose a comment, break the YAML or change the model's inputs and outputs is left out.
 */
export async function planRepairs(options: {
  readonly directory: string;
  readonly file?: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<RepairPlan> {
  const { directory, file = "cog.yaml", signal } = options;
  const texts = new RepositoryTexts(directory, signal);
  const repairs: Repair[] = [];
  const refused = new Set<string>();
  for (let round = 0; round < roundsMax; round++) {
    signal?.throwIfAborted();
    const found = await findRepairs({ texts, file });
    const next = found.find((repair) => !refused.has(identityOf(repair)));
    if (next === undefined) break;
    if (await texts.tryRepair(next, file)) repairs.push(next);
    else refused.add(identityOf(next));
  }
  return { repairs, files: texts.changed() };
}

/** Writes the files, each at once or not at all. */
export async function writeRepairs(options: {
  readonly directory: string;
  readonly plan: RepairPlan;
  readonly signal?: AbortSignal | undefined;
}): Promise<void> {
  for (const { path, before, after } of options.plan.files) {
    options.signal?.throwIfAborted();
    const target = join(options.directory, path);
    const partial = `${target}.${randomUUID()}`;
    try {
      const mode = before === undefined ? 0o644 : (await stat(target)).mode & 0o777;
      await writeFile(partial, after, { mode });
      await rename(partial, target);
    } catch (cause) {
      await rm(partial, { force: true });
      throw new RepositoryReadError({ path: target, cause });
    }
  }
}

async function findRepairs(options: {
  readonly texts: RepositoryTexts;
  readonly file: string;
}): Promise<Repair[]> {
  const { texts, file } = options;
  const text = await texts.read(file);
  if (text === undefined) return [];
  const yaml = new YamlText(file, text);
  if (!yaml.isValid || yaml.root === undefined) return [];
  const exists = (path: string): boolean => texts.exists(path);
  const inConfig = [
    ...findKeyRepairs(yaml),
    ...findValueRepairs(yaml, exists),
    ...findPackageRepairs(yaml, exists),
  ];
  return [...inConfig, ...(await inPredictor(texts, yaml))];
}

async function inPredictor(texts: RepositoryTexts, yaml: YamlText): Promise<Repair[]> {
  const reference = scalarOf((yaml.pair("run") ?? yaml.pair("predict"))?.value)?.text;
  const [, file, name] = /^([^:]+\.py):([A-Za-z_]\w*)$/.exec(reference ?? "") ?? [];
  const text = file === undefined ? undefined : await texts.read(file);
  if (file === undefined || name === undefined || text === undefined) return [];
  using parser = await createPythonParser();
  const root = parser.parse(text);
  return syntaxErrorLineOf(root) === undefined ? findPredictorRepairs({ file, name, root }) : [];
}

/** The repo's texts as the repairs so far leave them. */
class RepositoryTexts {
  readonly #directory: string;
  readonly #signal: AbortSignal | undefined;
  readonly #before = new Map<string, string | undefined>();
  #now = new Map<string, string>();

  constructor(directory: string, signal: AbortSignal | undefined) {
    this.#directory = directory;
    this.#signal = signal;
  }

  exists(path: string): boolean {
    return this.#now.has(path) || existsSync(join(this.#directory, path));
  }

  async read(path: string): Promise<string | undefined> {
    const known = this.#now.get(path);
    if (known !== undefined) return known;
    if (!this.#before.has(path)) {
      const signal = this.#signal;
      const options = { encoding: "utf8" as const, ...(signal === undefined ? {} : { signal }) };
      const text = await readFile(join(this.#directory, path), options).catch((error: unknown) => {
        signal?.throwIfAborted();
        if (
          ["ENOENT", "EISDIR", "ENOTDIR"].includes(String((error as NodeJS.ErrnoException).code))
        ) {
          return undefined;
        }
        throw new RepositoryReadError({ path: join(this.#directory, path), cause: error });
      });
      this.#before.set(path, text);
    }
    return this.#before.get(path);
  }

  /** Does the repair unless it would lose or break something. */
  async tryRepair(repair: Repair, config: string): Promise<boolean> {
    const next = new Map(this.#now);
    const comments: string[] = [];
    for (const [path, edits] of repair.edits) {
      const text = (await this.read(path)) ?? "";
      const repaired = applyEdits(text, edits);
      next.set(path, repaired);
      if (path !== config) continue;
      if (!new YamlText(path, repaired).isValid) return false;
      if (isAccepted(path, text) && !isAccepted(path, repaired)) return false;
      comments.push(...lostComments(text, repaired));
    }
    for (const [path, text] of repair.created ?? []) {
      this.#before.set(path, undefined);
      next.set(path, text);
    }
    const created = [...(repair.created ?? new Map<string, string>()).values()].join("\n");
    if (comments.some((comment) => !created.includes(comment))) return false;
    if (repair.file !== config && !(await this.#isSameSchema(next, config))) return false;
    this.#now = next;
    return true;
  }

  changed(): RepairedFile[] {
    return [...this.#now]
      .map(([path, after]) => ({ path, before: this.#before.get(path), after }))
      .filter(({ before, after }) => before !== after);
  }

  /** A model whose inputs and outputs differ after the repair is another model. */
  async #isSameSchema(next: ReadonlyMap<string, string>, config: string): Promise<boolean> {
    const yaml = new YamlText(config, (await this.read(config)) ?? "");
    const predictor = scalarOf((yaml.pair("run") ?? yaml.pair("predict"))?.value)?.text;
    if (predictor === undefined) return false;
    const documentOf = async (texts: ReadonlyMap<string, string> | undefined): Promise<string> => {
      const { document, problems } = await createSchema({
        directory: this.#directory,
        predictor,
        readFile: async (path) => texts?.get(path) ?? (await this.read(path)),
      });
      return JSON.stringify([document, problems.map(({ message }) => message)]);
    };
    return (await documentOf(undefined)) === (await documentOf(next));
  }
}

/** Whether cog.yaml passes every check that needs no other file. */
function isAccepted(file: string, text: string): boolean {
  const { document, problems } = parseSource(file, text);
  if (document === undefined || hasErrors(problems)) return false;
  const parsed = cogYamlSchema.safeParse(document.value ?? {});
  return parsed.success && !hasErrors(checkSemantics(document, parsed.data));
}

function lostComments(before: string, after: string): string[] {
  const left = commentsOf(after);
  return commentsOf(before).filter((comment) => {
    const index = left.findIndex((other) => other.includes(comment));
    if (index === -1) return true;
    left.splice(index, 1);
    return false;
  });
}

function identityOf({ file, key, message, line }: Repair): string {
  return JSON.stringify([file, key, message, line]);
}
