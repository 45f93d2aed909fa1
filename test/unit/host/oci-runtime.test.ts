import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { renderShim } from "../../../host/criu/install.ts";
import { checkHugePages } from "../../../host/capability/kernel.ts";
import { ociRuntimeName, renderHostWrapper } from "../../../host/engine/oci-runtime.ts";
import { resolveDirectories } from "../../../host/index.ts";
import * as runtime from "../../../runtime/index.ts";

it("containers ask for the runtime by the name that set-up registers", () => {
  expect(ociRuntimeName).toBe(runtime.ociRuntimeName);
});

it.each([
  ["x64", "/p/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"],
  ["arm64", "/p/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1"],
])("CRIU beside the system runs on its own loader and libraries on %s", (architecture, loader) => {
  const folder = loader.slice(0, loader.lastIndexOf("/"));
  expect(renderShim("/p", architecture).split("\n").at(-2)).toBe(
    `exec '${loader}' --library-path '${folder}' '/p/usr/sbin/criu' "$@"`,
  );
});

it.each([
  [undefined, "huge_pages=1"],
  [true, "huge_pages=1"],
  [false, "huge_pages=0"],
])(
  "with huge pages set to %s the installed runtime has %s: it never touches what it may not",
  async (hugePages, line) => {
    const bin = await mkdtemp(join(tmpdir(), "byom-runc-"));
    try {
      await writeFile(join(bin, "runc"), "#!/bin/sh\n", { mode: 0o755 });
      const script = await renderHostWrapper({
        directories: resolveDirectories({}, true),
        environment: { PATH: bin },
        signal: new AbortController().signal,
        hugePages,
      });
      expect(script?.split("\n")).toContain(line);
    } finally {
      await rm(bin, { recursive: true });
    }
  },
);

it("the host's check says when huge pages are off by the operator's word, and how to allow them", async () => {
  const [allowed, forbidden] = await Promise.all([
    checkHugePages(true, undefined),
    checkHugePages(true, false),
  ]);
  expect(allowed.hint ?? "").not.toContain("host setup");
  // Where the kernel has none, or always uses them, there is nothing to allow.
  const isChoice = /^(madvise|never)/.test(allowed.detail);
  expect(forbidden.hint?.includes("byom host setup --huge-pages") ?? false).toBe(isChoice);
});
