import { expect, it } from "vitest";
import { renderShim } from "../../../host/criu/install.ts";
import { ociRuntimeName } from "../../../host/engine/oci-runtime.ts";
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
