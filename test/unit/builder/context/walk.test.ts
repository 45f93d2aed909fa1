import { once } from "node:events";
import { chmodSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { walkRepository } from "../../../../builder/context/walk.ts";
import { writeRepo } from "../repo.ts";

test("files come in byte order, with sizes, links and executables as they are", async () => {
  const directory = writeRepo({
    "b/c": "12345",
    "b.py": "",
    B: "",
    "\u{1F600}": "",
    "\uFF01": "",
    "run.sh": "x",
  });
  chmodSync(join(directory, "run.sh"), 0o755);
  symlinkSync("../elsewhere", join(directory, "link"));
  symlinkSync("b", join(directory, "folder-link"));
  expect(await walkRepository({ directory })).toEqual([
    { path: "B", sizeBytes: 0, isExecutable: false },
    { path: "b.py", sizeBytes: 0, isExecutable: false },
    { path: "b/c", sizeBytes: 5, isExecutable: false },
    { path: "folder-link", sizeBytes: 0, isExecutable: false, linkTarget: "b" },
    { path: "link", sizeBytes: 0, isExecutable: false, linkTarget: "../elsewhere" },
    { path: "run.sh", sizeBytes: 1, isExecutable: true },
    // UTF-8 order: U+FF01 before U+1F600, which UTF-16 code units would turn around.
    { path: "\uFF01", sizeBytes: 0, isExecutable: false },
    { path: "\u{1F600}", sizeBytes: 0, isExecutable: false },
  ]);
});

test("version control, caches, virtual environments and ignored files never reach the image", async () => {
  const directory = writeRepo({
    ".dockerignore": "secret\n!secret/keep\n*.log\n",
    ".git/config": "",
    "sub/.git": "gitdir: x",
    ".cog/x": "",
    ".byom/x": "",
    "pkg/__pycache__/a.pyc": "",
    "pkg/a.pyc": "",
    "pkg/a.py": "",
    "env/pyvenv.cfg": "",
    "env/bin/python": "",
    "secret/drop": "",
    "secret/keep/me": "",
    "x.log": "",
  });
  const server = createServer().listen(join(directory, "socket"));
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const paths = (await walkRepository({ directory })).map((file) => file.path);
  expect(paths).toEqual([".dockerignore", "pkg/a.py", "secret/keep/me"]);
});

test("a folder that does not exist is a typed error, an abort the caller's reason", async () => {
  await expect(walkRepository({ directory: "/nowhere/at/all" })).rejects.toMatchObject({
    code: "REPOSITORY_UNREADABLE",
    path: "/nowhere/at/all",
  });
  const signal = AbortSignal.abort(new Error("stopped"));
  await expect(walkRepository({ directory: writeRepo({}), signal })).rejects.toThrow("stopped");
});

test("a pattern that Docker refuses is an error with its line, instead of a file that leaks into the image", async () => {
  const directory = writeRepo({ ".dockerignore": "*.log\nsecret[\n" });
  await expect(walkRepository({ directory })).rejects.toMatchObject({
    name: "ConfigInvalidError",
    problems: [{ severity: "error", file: ".dockerignore", line: 2 }],
  });
});
