import type { EnvironmentStep, Plan, SecretMount } from "../plan/plan.ts";
import { aptTrustOptions, trustArguments, trustMounts } from "./host-trust.ts";
import { env, run, shellQuote, shellWord, splitRunFlags } from "./instruction.ts";

const pipCache = "type=cache,target=/root/.cache/pip";

/** The folder that becomes the working directory; relative paths of requirements start there. */
const sourceFolder = "/src";

/**
 * The Dockerfile of the environment: everything that must execute, nothing else. Weights and code are laid on top later.
 * Same plan, same text. It has no `# syntax=` line, so that nothing is pulled, and keeps to what the frontend built into
 * Docker 20.10 understands.
 *
 * The context holds `plan.contextFiles` at their paths, byom's Python helper as `.byom/helper/byom/`, and, as
 * `plan.hostTrust` says, `.byom/ca.crt` and `.byom/pip.conf`.
 */
export function renderDockerfile(plan: Plan): string {
  const instructions = [
    ...(plan.toolImage === undefined ? [] : [renderToolStage(plan, plan.toolImage)]),
    `FROM ${plan.baseImage.value}`,
    plan.baseUser === undefined ? "" : "USER root",
    [
      "ARG DEBIAN_FRONTEND=noninteractive",
      // Debian marks its Python as managed by apt (PEP 668); a container is the place to install into it all the same.
      "ARG PIP_BREAK_SYSTEM_PACKAGES=1",
      "ARG PIP_ROOT_USER_ACTION=ignore",
      "ARG PIP_DISABLE_PIP_VERSION_CHECK=1",
      ...trustArguments(plan.hostTrust),
    ].join("\n"),
    Object.entries(plan.buildVariables)
      .map(([name, value]) => env(name, value))
      .join("\n"),
    ...plan.environment.flatMap((step) =>
      step.kind === "system-packages" && plan.toolImage !== undefined
        ? [renderStep(plan, step), renderPython(plan)]
        : [renderStep(plan, step)],
    ),
    renderHelper(),
    `WORKDIR ${plan.workingDirectory}`,
    plan.baseUser === undefined ? "" : `USER ${plan.baseUser}`,
  ];
  return `${instructions.filter((text) => text !== "").join("\n\n")}\n`;
}

function renderStep(plan: Plan, step: EnvironmentStep): string {
  switch (step.kind) {
    case "system-packages":
      return renderSystemPackages(plan, step.packages);
    case "python-requirements":
      return renderRequirements(plan, step);
    case "cog":
      return run({
        mounts: [pipCache, ...trustMounts(plan.hostTrust)],
        command: `python -m pip install ${cogRequirements(step).join(" ")}`,
      });
    case "run":
      return renderRun(plan, step.command, step.secrets);
  }
}

function renderSystemPackages(plan: Plan, packages: readonly string[]): string {
  const apt = ["apt-get", ...aptTrustOptions(plan.hostTrust)].join(" ");
  const names = packages.map((name) => `      ${shellWord(name)} \\\n`).join("");
  return run({
    mounts: [...aptCaches(plan), ...trustMounts(plan.hostTrust)],
    command: [
      // Official images delete every downloaded package at once, which would empty the cache mount.
      "rm -f /etc/apt/apt.conf.d/docker-clean",
      `${apt} update -qq`,
      `${apt} install -qqy --no-install-recommends -o APT::Keep-Downloaded-Packages=true \\\n${names.trimEnd()}`,
      ...(plan.toolImage === undefined ? pythonChecks : []),
    ]
      .reduce((text, command) =>
        text.endsWith("\\") ? `${text}\n    && ${command}` : `${text} \\\n    && ${command}`,
      )
      .replace(/ \\$/, ""),
  });
}

const pythonChecks: readonly string[] = [
  // Cog calls `python`; Debian's own package has only `python3`.
  "{ command -v python > /dev/null || command -v python3 > /dev/null" +
    ` || { echo "the base image has no Python" >&2; exit 1; }; }`,
  '{ command -v python > /dev/null || ln -s "$(command -v python3)" /usr/local/bin/python; }',
  "python -m pip --version",
];

/** uv is one static program: an image with pip fetches it for a base that has neither. */
function renderToolStage(plan: Plan, image: string): string {
  const fetch = run({
    mounts: [pipCache, ...trustMounts(plan.hostTrust)],
    command: `python -m pip install --target /uv ${uvRequirement}`,
  });
  const settings = ["ARG PIP_BREAK_SYSTEM_PACKAGES=1", ...trustArguments(plan.hostTrust)].join(
    "\n",
  );
  return [`FROM ${image} AS uv`, settings, fetch].join("\n\n");
}

/** A Python of its own, with pip, whose programs are found first. UV_PYTHON_INSTALL_MIRROR names another source. */
function renderPython(plan: Plan): string {
  const install = run({
    mounts: [...trustMounts(plan.hostTrust)],
    command: [
      `uv python install --no-bin ${plan.pythonVersion.value}`,
      `ln -s "$(dirname "$(uv python find --managed-python ${plan.pythonVersion.value})")" /opt/python/bin`,
      "python -m pip --version",
    ].join(" \\\n    && "),
  });
  return [
    "COPY --from=uv /uv/bin/uv /usr/local/bin/uv",
    `ARG UV_PYTHON_INSTALL_DIR=/opt/python\nARG UV_PYTHON_INSTALL_MIRROR\nENV PATH=/opt/python/bin:$PATH`,
    install,
  ].join("\n");
}

/** apt's lists and packages, shared by all builds on one base, one build at a time. */
function aptCaches(plan: Plan): string[] {
  const id = plan.baseImage.value.replaceAll(/[^A-Za-z0-9._-]+/g, "-");
  return ["/var/cache/apt", "/var/lib/apt/lists"].map(
    (target) =>
      `type=cache,id=byom-${target.endsWith("lists") ? "lists" : "apt"}-${id},target=${target},sharing=locked`,
  );
}

function renderRequirements(
  plan: Plan,
  step: Extract<EnvironmentStep, { readonly kind: "python-requirements" }>,
): string {
  const mounts = [...requirementMounts(step), pipCache, ...trustMounts(plan.hostTrust)];
  // Only a step with files of the repo needs its folder, which the mount makes.
  const enter = step.files.length > 0 || step.needsContext ? `cd ${sourceFolder} \\\n    && ` : "";
  const index = step.index === undefined ? "" : ` --extra-index-url ${shellWord(step.index)}`;
  if (step.lock !== undefined) return run({ mounts, command: renderLock(step.lock) });
  if (step.file !== undefined) {
    const command = `${enter}python -m pip install -r ${shellWord(step.file)}${index}`;
    return run({ mounts, command });
  }
  const list = "/tmp/byom-requirements.txt";
  const lines = step.lines.map((line) => `      ${shellQuote(line.trim())} \\\n`).join("");
  return run({
    mounts,
    command:
      `${enter}printf '%s\\n' \\\n${lines}      > ${list} \\\n` +
      `    && python -m pip install -r ${list}${index} \\\n    && rm ${list}`,
  });
}

/** Reads locks; newest on PyPI in November 2026. */
const uvRequirement = "uv==0.13.9";

/** uv turns its lock into requirements, without network; pip installs them with the host's settings, as everything else. */
function renderLock(lock: {
  readonly indexes: readonly string[];
  readonly hasHashes: boolean;
}): string {
  const [uv, list] = ["/tmp/byom-uv", "/tmp/byom-requirements.txt"];
  const hashes = lock.hasHashes ? "" : " --no-hashes";
  const indexes = lock.indexes.map((url) => ` --extra-index-url ${shellWord(url)}`).join("");
  return [
    `cd ${sourceFolder}`,
    `python -m pip install --quiet --target ${uv} ${uvRequirement}`,
    `UV_PYTHON_DOWNLOADS=never ${uv}/bin/uv export --quiet --frozen --no-dev --no-emit-project --no-header${hashes} > ${list}`,
    `python -m pip install -r ${list}${indexes}`,
    `rm -r ${uv} ${list}`,
  ].join(" \\\n    && ");
}

/** One mount per file, so that no other file's change repeats the step; the whole context where pip builds a folder. */
function requirementMounts(
  step: Extract<EnvironmentStep, { readonly kind: "python-requirements" }>,
): string[] {
  const isPlain = step.files.every((path) => /^[A-Za-z0-9_./+-]+$/.test(path));
  if (step.needsContext || !isPlain) return [`type=bind,target=${sourceFolder},rw`];
  return step.files.map((path) => `type=bind,source=${path},target=${sourceFolder}/${path}`);
}

function cogRequirements(step: Extract<EnvironmentStep, { readonly kind: "cog" }>): string[] {
  if (step.cogVersion === "prerelease") return ["--pre", "--upgrade", "cog", "coglet"];
  return [`cog==${step.cogVersion}`, `coglet==${step.cogletVersion}`].map(shellWord);
}

/** The author's command, verbatim; flags of RUN in front of it stay flags. */
function renderRun(plan: Plan, command: string, secrets: readonly SecretMount[]): string {
  // A trailing backslash would swallow the next instruction.
  const { flags, rest } = splitRunFlags(command.replace(/[\s\\]+$/, ""));
  const isApt = /\bapt(-get)?\s/.test(rest);
  const isPip = /\bpip3?\b/.test(rest) && !flags.some((flag) => flag.includes("/root/.cache/pip"));
  const mounts = [
    ...secrets.map(({ id, target }) => `type=secret,id=${id},target=${target}`),
    ...(isApt && !flags.some((flag) => flag.includes("/apt")) ? aptCaches(plan) : []),
    ...(isPip ? [pipCache] : []),
    ...trustMounts(plan.hostTrust),
  ];
  const prefix = flags.map((flag) => `${flag} \\\n    `).join("");
  return run({ mounts, command: `${prefix}${rest}` });
}

/** byom's module, found by every Python process through a `.pth` file in the first folder of site-packages. */
function renderHelper(): string {
  const script = [
    "import os, site",
    "folder = site.getsitepackages()[0]",
    "os.makedirs(folder, exist_ok=True)",
    String.raw`open(os.path.join(folder, 'byom.pth'), 'w').write('/opt/byom/python\nimport byom._start\n')`,
  ].join("; ");
  return `COPY .byom/helper/byom /opt/byom/python/byom\nRUN python -c "${script}"`;
}
