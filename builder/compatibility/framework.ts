import type { Config } from "../config/config.ts";
import type { Problem } from "../problem.ts";
import { minorOf, compareVersions, fitsSpecifiers } from "./version.ts";
import type { NamedPackage } from "./named-package.ts";
import type { CompatibilityTable, TensorflowRelease, TorchRelease } from "./table.ts";

/** The framework that decides over CUDA. */
export interface Framework {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
  readonly package?: NamedPackage;
  readonly torch?: TorchRelease;
  readonly tensorflow?: TensorflowRelease;
}

/** torch where the repo names it (or torchvision, which brings it), else TensorFlow, else JAX. */
export function chooseFramework(options: {
  readonly config: Config;
  readonly table: CompatibilityTable;
  readonly packages: readonly NamedPackage[];
}): { readonly framework?: Framework; readonly problems: readonly Problem[] } {
  const { config, table, packages } = options;
  const torch = pick(packages, ["torch"]);
  const problems = [...contradictions(packages), ...companions(packages, table, torch)];
  const choose = (named: NamedPackage, name: string, releases: readonly Release[]): Chosen =>
    chooseRelease({ config, table, named, name, releases });
  if (torch !== undefined) {
    const { release, ...chosen } = choose(torch, "torch", table.torch);
    const row = table.torch.find(({ version }) => version === release.version);
    const framework = { name: "torch", ...chosen.framework, package: torch };
    return {
      framework: { ...framework, ...(row === undefined ? {} : { torch: row }) },
      problems: [...problems, ...chosen.problems],
    };
  }
  const tensorflow = pick(packages, ["tensorflow", "tensorflow-gpu"]);
  if (tensorflow !== undefined) {
    const { release, ...chosen } = choose(tensorflow, "tensorflow", table.tensorflow);
    const row = table.tensorflow.find(({ version }) => version === release.version);
    const framework = { name: "tensorflow", ...chosen.framework, package: tensorflow };
    return {
      framework: { ...framework, ...(row === undefined ? {} : { tensorflow: row }) },
      problems: [...problems, ...chosen.problems],
    };
  }
  const jax = pick(packages, ["jax", "jaxlib"]);
  if (jax === undefined) return { problems };
  const version = jax.pinned ?? "newest";
  return {
    framework: { name: "jax", version, reason: describePlace(jax), package: jax },
    problems: [...problems, ...jaxProblems(jax)],
  };
}

interface Release {
  readonly version: string;
  readonly pythons: readonly string[];
}

interface Chosen {
  readonly release: Release;
  readonly framework: { readonly version: string; readonly reason: string };
  readonly problems: readonly Problem[];
}

/** The release that pip will install, as far as the table knows; the nearest one otherwise. */
function chooseRelease(options: {
  readonly config: Config;
  readonly table: CompatibilityTable;
  readonly named: NamedPackage;
  readonly name: string;
  readonly releases: readonly Release[];
}): Chosen {
  const { config, table, named, name, releases } = options;
  const place = describePlace(named);
  const python = minorOf(config.pythonVersion);
  const last = releases.at(-1) as Release;
  if (named.pinned === undefined) {
    const fitting = releases.filter(({ version }) => fitsSpecifiers(version, named.specifiers));
    const release =
      fitting.findLast(({ pythons }) => pythons.includes(python)) ?? fitting.at(-1) ?? last;
    const asked = named.specifiers === "" ? "no version" : named.specifiers;
    const reason = `${place} says ${asked}: the newest that byom knows of for Python ${python}`;
    return { release, framework: { version: release.version, reason }, problems: [] };
  }
  const pinned = named.pinned;
  const exact = releases.find(({ version }) => compareVersions(version, pinned) === 0);
  const release =
    exact ??
    releases.findLast(({ version }) => compareVersions(version, pinned) <= 0) ??
    releases[0] ??
    last;
  const problems: Problem[] = [];
  if (exact === undefined) {
    problems.push({
      severity: "warning",
      ...named.place,
      message: `${name} ${pinned} is not in the compatibility table of ${table.date}; taken as ${release.version}`,
      hint: `run \`byom compat update\`, or pin a version that it knows`,
    });
  } else if (!exact.pythons.includes(python)) {
    problems.push({
      severity: "warning",
      ...named.place,
      message: `${name} ${pinned} has no wheel for Python ${python}, only for ${exact.pythons.join(", ")}; pip will probably fail`,
      hint: pythonHint(name, exact, releases, python),
    });
  }
  return { release, framework: { version: pinned, reason: place }, problems };
}

function pythonHint(
  name: string,
  exact: Release,
  releases: readonly Release[],
  python: string,
): string {
  const first = releases.find(
    ({ version, pythons }) =>
      pythons.includes(python) && compareVersions(version, exact.version) > 0,
  );
  // Cog itself needs Python 3.10.
  const own = exact.pythons.filter((version) => compareVersions(version, "3.10") >= 0).at(-1);
  const parts = [
    ...(own === undefined ? [] : [`write python_version: "${own}"`]),
    ...(first === undefined ? [] : [`write ${name}==${first.version}`]),
  ];
  return parts.join(", or ") || "pin another version";
}

/** torchvision and torchaudio belong to one torch each; pip finds out minutes later. */
function companions(
  packages: readonly NamedPackage[],
  table: CompatibilityTable,
  torch: NamedPackage | undefined,
): Problem[] {
  const row = table.torch.find(
    ({ version }) => torch?.pinned !== undefined && compareVersions(version, torch.pinned) === 0,
  );
  if (row === undefined) return [];
  return (["torchvision", "torchaudio"] as const).flatMap((name): Problem[] => {
    const named = pick(packages, [name]);
    const wanted = row[name];
    if (named?.pinned === undefined || wanted === undefined) return [];
    // Patch releases of the companions follow at their own pace.
    if (minorOf(named.pinned) === minorOf(wanted)) return [];
    return [
      {
        severity: "warning",
        ...named.place,
        message: `${name} ${named.pinned} does not belong to torch ${row.version}; installed as written`,
        hint: `write ${name}==${wanted}`,
      },
    ];
  });
}

function contradictions(packages: readonly NamedPackage[]): Problem[] {
  return ["torch", "tensorflow"].flatMap((name): Problem[] => {
    const pins = packages.filter((item) => item.name === name && item.pinned !== undefined);
    const [first] = pins;
    const other = pins.find(
      (item) =>
        first?.pinned !== undefined && compareVersions(item.pinned ?? "", first.pinned) !== 0,
    );
    if (first === undefined || other === undefined || other.isCommand) return [];
    return [
      {
        severity: "warning",
        ...other.place,
        message: `${name} is pinned twice: ${first.pinned} and ${other.pinned}`,
        hint: "keep one of them",
      },
    ];
  });
}

function jaxProblems(jax: NamedPackage): Problem[] {
  const isPlain = jax.extras.every((extra) => !extra.startsWith("cuda"));
  if (!isPlain || jax.isCommand || jax.name === "jaxlib") return [];
  return [
    {
      severity: "warning",
      ...jax.place,
      message: "jax without an extra runs on the CPU",
      hint: `write jax[cuda12]${jax.specifiers}`,
    },
  ];
}

/** A pinned one first, then one of the requirements, then one of a command. */
function pick(
  packages: readonly NamedPackage[],
  names: readonly string[],
): NamedPackage | undefined {
  const all = packages.filter(({ name }) => names.includes(name));
  return all.find(({ pinned }) => pinned !== undefined) ?? all[0];
}

export function describePlace({ place }: NamedPackage): string {
  return place.line === undefined ? place.file : `${place.file}:${place.line}`;
}
