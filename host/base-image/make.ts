import { execa } from "execa";
import { findProgram, lastLines } from "../command.ts";
import type { ConnectedEngine } from "../engine/connect.ts";
import { HostError } from "../errors.ts";
import {
  aptEnvironment,
  type Distribution,
  installPackages,
  type PackageOptions,
} from "../packages/distribution.ts";
import { possiblePythonVersions, suites } from "./versions.ts";
import { type DebianMirror, findDebianMirror, renderSource } from "../packages/debian-sources.ts";

/** What the official `python` image has and a model's environment relies on; tini is what cog's images start with. */
const includedPackages = "python3,python3-pip,python3-venv,python-is-python3,ca-certificates,tini";
/** 20 s were measured; a slow mirror takes longer. */
const makeTimeoutMs = 15 * 60_000;
/** Repository of the images made here; the Python version is the tag. */
export const baseImageRepository = "byom-base/python";
/** What goes into the host's settings for the builder. */
export const baseImageTemplate: string = `${baseImageRepository}:{version}`;

/**
 * Writes out the holes of sparse files. Newer versions of mmdebstrap pack those in tar's sparse format, which dockerd
 * unpacks but cannot write again: the image would run, and every save or push of it fail with "could not verify layer
 * data" (moby#37680). A ratio of allocated to apparent size below 1 is tar's own test. Written in place: links stay.
 */
const fillHoles = `find "$1" -xdev -type f -printf '%S %p\\n' | while read -r ratio file; do case $ratio in 0.*|0) cp --sparse=never --preserve=timestamps "$file" "$1/tmp/whole"; cat "$1/tmp/whole" >"$file"; touch -r "$1/tmp/whole" "$file"; rm "$1/tmp/whole";; esac; done`;

/** mmdebstrap's arguments for a Python base: a pure value, for `--dry-run` and tests. */
export function baseImageCommand(
  pythonVersion: string,
  mirror: DebianMirror,
): readonly [string, ...string[]] {
  const suite = suites[pythonVersion];
  if (suite === undefined) {
    throw new HostError(
      "HOST_BASE_IMAGE_UNSUPPORTED",
      `no Debian suite ships Python ${pythonVersion}`,
      {
        hint: `Possible from Debian's packages: ${possiblePythonVersions.join(", ")}; for others let the engine pull python:${pythonVersion}-slim, or point base images at your own mirror`,
      },
    );
  }
  const sources = [suite, `${suite}-updates`, `${suite}-security`]
    .filter((name) => !name.endsWith("-security") || mirror.securityUrl !== undefined)
    .map((name) => renderSource(mirror, name).replace(/\[signed-by=[^\]]*\] /, ""));
  return [
    "mmdebstrap",
    "--quiet",
    "--format=tar",
    "--variant=minbase",
    `--include=${includedPackages}`,
    `--keyring=${mirror.keyring}`,
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--aptopt=Acquire::Languages "none"',
    // As in the official Debian images: an image that is not finished is thrown away, nothing needs fsync.
    "--dpkgopt=force-unsafe-io",
    // As in the slim images: no manuals, no translations; licences stay.
    ...["doc", "info", "locale", "man"].map(
      (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
    ),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    // This Python is the image's own, not a system's that pip might break (PEP 668).
    '--customize-hook=rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    `--customize-hook=${fillHoles}`,
    suite,
    "-",
    ...sources,
  ];
}

/**
 * Makes `byom-base/python:X.Y` from Debian's packages and imports it into the engine; nothing is staged on disk.
 * Needs root. Returns the image's reference.
 * @throws HostError HOST_BASE_IMAGE_UNSUPPORTED for a version that no suite ships.
 */
export async function makeBaseImageIn(
  target: { engine: ConnectedEngine; distribution: Distribution; pythonVersion: string },
  options: PackageOptions,
): Promise<string> {
  const mirror = await findDebianMirror(options);
  const command = baseImageCommand(target.pythonVersion, mirror);
  if ((await findProgram("mmdebstrap", options)) === undefined) {
    await installPackages(["mmdebstrap", "debian-archive-keyring"], target.distribution, options);
  }
  const [program, ...args] = command;
  const child = execa(program, args, {
    env: { ...aptEnvironment(options.environment), TMPDIR: "/var/tmp" },
    extendEnv: false,
    stdin: "ignore",
    encoding: "buffer",
    buffer: { stdout: false, stderr: true },
    cancelSignal: options.signal,
    timeout: makeTimeoutMs,
    forceKillAfterDelay: 10_000,
    reject: false,
  });
  const imported = importImage(target.engine, child.stdout, target.pythonVersion, options);
  // A failed command also fails the import; the command's own message is the one to show.
  const [result, reference] = await Promise.all([
    child,
    imported.catch((error: unknown) => error as Error),
  ]);
  options.signal.throwIfAborted();
  if (result.exitCode !== 0) {
    await removeImage(target.engine, target.pythonVersion, options);
    throw new HostError("HOST_COMMAND_FAILED", "mmdebstrap could not make the base image", {
      output: lastLines(Buffer.from(result.stderr).toString(), 15),
      hint: `Try it by hand: ${command.map((word) => (/[ "$*]/.test(word) ? `'${word}'` : word)).join(" ")} >/dev/null`,
    });
  }
  if (reference instanceof Error) throw reference;
  return reference;
}

async function importImage(
  engine: ConnectedEngine,
  archive: NodeJS.ReadableStream,
  pythonVersion: string,
  options: PackageOptions,
): Promise<string> {
  const progress = await engine.docker.importImage(archive, {
    repo: baseImageRepository,
    tag: pythonVersion,
    message: "made by byom from Debian packages",
    changes: [
      "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "ENV LANG=C.UTF-8",
      `LABEL dev.byom.base=${suites[pythonVersion] ?? ""} dev.byom.python=${pythonVersion}`,
      'CMD ["python3"]',
    ].join("\n"),
    abortSignal: options.signal,
  });
  await new Promise<void>((resolve, reject) => {
    const onFinished = (error: Error | null): void => (error === null ? resolve() : reject(error));
    engine.docker.modem.followProgress(progress, onFinished);
  });
  return `${baseImageRepository}:${pythonVersion}`;
}

/** An archive that was cut off is imported as far as it came: such an image must not stay. */
async function removeImage(
  engine: ConnectedEngine,
  pythonVersion: string,
  options: PackageOptions,
): Promise<void> {
  const image = engine.docker.getImage(`${baseImageRepository}:${pythonVersion}`);
  await image.remove({ force: true, abortSignal: options.signal }).catch(() => {});
}
