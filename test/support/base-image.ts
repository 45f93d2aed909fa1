import { spawn } from "node:child_process";
import { once } from "node:events";
import { connectEngine } from "../../builder/index.ts";
import { findProgram } from "./registry.ts";

/** Python 3.11 from Debian's packages, as `byom host base-image` makes it. */
export const baseImage = "byom-base/python:3.11";

const packages = "python3,python3-pip,python3-venv,python-is-python3,ca-certificates,tini";

/** Makes sure that the engine has the base image; made once per machine, in about half a minute. */
export async function ensureBaseImage(): Promise<void> {
  const engine = await connectEngine({ environment: process.env });
  const images = await engine.docker.listImages({ filters: { reference: [baseImage] } });
  if (images.length > 0) return;
  const program = findProgram("mmdebstrap");
  if (program === undefined)
    throw new Error(`no ${baseImage} and no mmdebstrap to make it: run byom host base-image`);
  const child = spawn(program, ["--variant=minbase", `--include=${packages}`, "bookworm", "-"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [repo, tag] = baseImage.split(":") as [string, string];
  const answer = await engine.docker.importImage(child.stdout, { repo, tag });
  for await (const _piece of answer);
  if (child.exitCode === null) await once(child, "exit");
}
