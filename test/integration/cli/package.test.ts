// The published package, as `npm install byom` lays it out: compiled output, and everything that is read at run time
// beside it. Under node_modules Node strips no types, so one import of a source file would end every command.
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";

import { renderDeclaration } from "../../../cli/model-types/declaration.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const environment = {
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
};
let folder: string;
/** A project with nothing but the package in it. */
let project: string;
let installed: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "byom-package-")));
  project = join(folder, "project");
  installed = join(project, "node_modules/byom");
  await execa("npm", ["pack", "--pack-destination", folder], { cwd: root, env: environment });
  const [tarball = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  await install(join(folder, tarball));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/**
 * What `npm install --ignore-scripts` does, without a registry: the tarball's files, the program's link, and only the
 * packages that it declares, so that a development dependency which is needed at run time is missing here too.
 */
async function install(tarball: string): Promise<void> {
  const modules = join(project, "node_modules");
  await mkdir(join(modules, ".bin"), { recursive: true });
  await mkdir(installed);
  await execa("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  const manifest = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as {
    bin: { byom: string };
    dependencies: Readonly<Record<string, string>>;
  };
  for (const name of Object.keys(manifest.dependencies)) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, "node_modules", name), join(modules, name));
  }
  await symlink(join(installed, manifest.bin.byom), join(modules, ".bin/byom"));
}

/** Runs the installed program as `npx byom` does, away from this clone. */
async function byom(...argv: readonly string[]): Promise<string> {
  const { stdout } = await execa(join(project, "node_modules/.bin/byom"), argv, {
    cwd: project,
    env: {
      ...environment,
      BYOM_DATA_DIR: join(folder, "data"),
      DOCKER_HOST: "unix:///nonexistent/docker.sock",
    },
  });
  return stdout;
}

it("says its version and lists its commands", async () => {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  expect(await byom("--version")).toBe(`byom ${version}`);
  expect(await byom("--help")).toContain("byom COMMAND --help");
});

it("loads every command: none imports a source file or a development dependency", async () => {
  const rows = JSON.parse(await byom("--help", "--json")) as readonly { name: string }[];
  expect(rows.length).toBeGreaterThan(20);
  const script = `
    const { commands } = await import(process.argv[1]);
    for (const entry of commands) await entry.load();
    await import(process.argv[2]);
    console.log(commands.length);`;
  const { stdout } = await execa(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      script,
      pathToFileURL(join(installed, "dist/cli/commands/index.js")).href,
      pathToFileURL(join(installed, "dist/cli/up.js")).href,
    ],
    { cwd: project },
  );
  expect(Number(stdout)).toBe(rows.length);
});

it("writes a model repo and plans it: the templates and the parser of Python are there", async () => {
  for (const template of ["chat", "ocr"]) {
    await byom("init", template, "--template", template);
    const plan = JSON.parse(await byom("-C", template, "plan", "--json")) as {
      openApiSchema: { components: { schemas: { Input: { properties: object } } } };
    };
    const { properties } = plan.openApiSchema.components.schemas.Input;
    expect(Object.keys(properties)).toContain(template === "chat" ? "prompt" : "image");
  }
});

it("has the OCI runtime's script and the files that go into every image", async () => {
  const script = `
    const { renderWrapper } = await import(process.argv[1]);
    const { collectBuildContext } = await import(process.argv[2]);
    const wrapper = await renderWrapper({ runc: "/usr/bin/runc", criuDirectory: "/opt/criu" });
    const plan = { directory: "/nonexistent", contextFiles: [] };
    const { keyed } = await collectBuildContext({ plan, dockerfile: "", trust: {} });
    console.log(JSON.stringify({ wrapper, paths: keyed.map(({ path }) => path) }));`;
  const { stdout } = await execa(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      script,
      pathToFileURL(join(installed, "dist/runtime/index.js")).href,
      pathToFileURL(join(installed, "dist/builder/docker/build-context.js")).href,
    ],
    { cwd: project },
  );
  const { wrapper, paths } = JSON.parse(stdout) as { wrapper: string; paths: readonly string[] };
  expect(wrapper).toMatch(/^#!\/bin\/sh\n[^]*\/opt\/criu/);
  expect(paths).toEqual(
    expect.arrayContaining([".byom/helper/byom.pth", ".byom/helper/byom/__init__.py"]),
  );
});

it("has a client whose types know the models that were written for it", async () => {
  const source = join(project, "src");
  await mkdir(source, { recursive: true });
  const model = {
    name: "acme/chat",
    description: "A small language model",
    task: "Text Generation",
    input: { type: "object", required: ["prompt"], properties: { prompt: { type: "string" } } },
    output: { type: "string" },
  };
  await writeFile(join(source, "models.d.ts"), renderDeclaration([model]));
  await writeFile(
    join(source, "app.ts"),
    `import { createAI, InferenceUpstreamError } from "byom/client";
const ai = createAI({ baseUrl: "http://127.0.0.1:1", apiKey: "key" });
const say = async (): Promise<string> => (await ai.run("acme/chat", { prompt: "x" })).response;
// @ts-expect-error -- a wrong type of an input
const wrong = () => ai.run("acme/chat", { prompt: 3 });
console.log(typeof say, typeof wrong, InferenceUpstreamError.name);
`,
  );
  await writeFile(join(project, "package.json"), '{"type":"module"}');
  const options = ["--strict", "--module", "nodenext", "--target", "es2024", "--lib", "es2024,dom"];
  await execa(
    join(root, "node_modules/.bin/tsc"),
    [...options, "--types", "", "src/models.d.ts", "src/app.ts"],
    {
      cwd: project,
    },
  );
  const { stdout } = await execa(process.execPath, [join(source, "app.js")], { cwd: project });
  expect(stdout).toBe("function function InferenceUpstreamError");
});

it("carries nothing that only a clone needs", async () => {
  const files = await readdir(installed, { recursive: true });
  const unwanted = files.filter((path) =>
    /(^|\/)(test|scripts|__pycache__)(\/|$)|(?<!\.d)\.ts$/.test(path),
  );
  expect(unwanted).toEqual([]);
});
