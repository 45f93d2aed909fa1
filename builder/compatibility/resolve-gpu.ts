import type { Config } from "../config/config.ts";
import type { Decision } from "../plan/plan.ts";
import { reasonAt } from "../plan/reason.ts";
import type { Problem } from "../problem.ts";
import { checkTarget, type GpuTarget } from "./gpu-target.ts";
import { chooseToolkit, placeOfKey, type Toolkit } from "./toolkit.ts";
import { namedPackages } from "./named-package.ts";
import type { CompatibilityTable, TorchRelease } from "./table.ts";
import { chooseFramework, type Framework } from "./framework.ts";
import { compareVersions, minorOf } from "./version.ts";

/** What the GPU part of a plan decides. */
export interface GpuResolution {
  /** `torch 2.5.1`. */
  readonly framework?: Decision<string>;
  readonly cuda?: Decision<string>;
  readonly cudnn?: Decision<string>;
  /** An index that pip asks beside its own. */
  readonly packageIndex?: Decision<string>;
  /** The `nvidia/cuda` tag where the image needs more of CUDA than the packages bring. */
  readonly toolkit?: Toolkit;
  readonly problems: readonly Problem[];
}

/**
 * Decides over CUDA, cuDNN, the index of the wheels and the base image. What the table does not know resolves to the
 * nearest that it knows, with a warning; what the author wrote wins over the table.
 */
export function resolveGpu(options: {
  readonly config: Config;
  readonly table: CompatibilityTable;
  /** The machine that the image is for, as far as it is known. */
  readonly target?: GpuTarget;
}): GpuResolution {
  const { config, table, target } = options;
  if (!config.gpu) return { problems: [] };
  const packages = namedPackages(config);
  const found = chooseFramework({ config, table, packages });
  const wheels = chooseWheels({ config, table, framework: found.framework });
  const toolkit = chooseToolkit({ config, table, packages, cuda: wheels.cuda });
  const problems = [...found.problems, ...wheels.problems, ...toolkit.problems];
  const { framework } = found;
  // The fallback means something only for the toolkit's image.
  const isCudaKnown =
    wheels.cuda !== undefined &&
    (framework !== undefined || config.cuda !== undefined || toolkit.toolkit !== undefined);
  const cudnn = chooseCudnn({ config, framework, toolkit: toolkit.toolkit });
  return {
    ...(framework === undefined
      ? {}
      : {
          framework: { value: `${framework.name} ${framework.version}`, reason: framework.reason },
        }),
    ...(isCudaKnown ? { cuda: wheels.cuda } : {}),
    ...(cudnn === undefined ? {} : { cudnn }),
    ...(wheels.index === undefined ? {} : { packageIndex: wheels.index }),
    ...(toolkit.toolkit === undefined ? {} : { toolkit: toolkit.toolkit }),
    problems: [
      ...problems,
      ...(target === undefined
        ? []
        : checkTarget({ config, table, target, framework, cuda: wheels.cuda?.value })),
    ],
  };
}

interface Wheels {
  readonly cuda?: Decision<string>;
  readonly index?: Decision<string>;
  readonly problems: readonly Problem[];
}

function chooseWheels(options: {
  readonly config: Config;
  readonly table: CompatibilityTable;
  readonly framework: Framework | undefined;
}): Wheels {
  const { config, table, framework } = options;
  const asked = config.cuda === undefined ? undefined : minorOf(config.cuda);
  if (framework?.torch !== undefined) {
    return chooseTorchWheels({ config, table, framework, torch: framework.torch });
  }
  if (asked !== undefined) {
    return { cuda: { value: asked, reason: reasonAt(config, "build.cuda") }, problems: [] };
  }
  if (framework?.tensorflow !== undefined) {
    const { cuda, version } = framework.tensorflow;
    return {
      cuda: { value: cuda, reason: `tensorflow ${version} is built for it` },
      problems: [],
    };
  }
  if (framework?.name === "jax") return { ...jaxCuda(table, framework), problems: [] };
  // Without a known framework: the newest CUDA that drivers of 2022 still run.
  const newest = table.cuda.findLast(({ version }) => compareVersions(version, "13.0") < 0);
  const reason = "no known framework: the newest that drivers older than 580 run";
  return newest === undefined
    ? { problems: [] }
    : { cuda: { value: newest.version, reason }, problems: [] };
}

/** `jax[cuda12]` brings a CUDA 12; which minor release is for pip to find. */
function jaxCuda(table: CompatibilityTable, framework: Framework): Pick<Wheels, "cuda"> {
  const extra = framework.package?.extras.find((name) => /^cuda\d+/.test(name));
  const major = /^cuda(\d+)/.exec(extra ?? "")?.[1];
  const release = table.cuda.findLast(({ version }) => version.startsWith(`${major}.`));
  if (release === undefined) return {};
  return { cuda: { value: release.version, reason: `${framework.reason} jax[${extra}]` } };
}

/** Oldest CUDA that a GPU of today can use; older wheels have no code for it. */
const cudaUsefulMin = "11.0";

function chooseTorchWheels(options: {
  readonly config: Config;
  readonly table: CompatibilityTable;
  readonly framework: Framework;
  readonly torch: TorchRelease;
}): Wheels {
  const { config, table, framework, torch } = options;
  const problems: Problem[] = [];
  const asked = config.cuda === undefined ? undefined : minorOf(config.cuda);
  const local = cudaOfTag(framework.package?.local);
  const written = writtenIndex(config);
  const place = placeOfKey(config, "build.cuda");
  if (local !== undefined || (written?.cuda !== undefined && framework.package !== undefined)) {
    const value = local ?? written?.cuda ?? "";
    const reason =
      local === undefined
        ? `${written?.reason}, an index of it`
        : `${framework.reason} asks for +${framework.package?.local}`;
    if (asked !== undefined && asked !== value) {
      problems.push({
        severity: "warning",
        ...place,
        message: `CUDA ${asked} contradicts torch's ${value}; torch brings its own, ${value} is used`,
        hint: `write cuda: "${value}", or another torch`,
      });
    }
    return withIndex({ framework, torch, written, cuda: { value, reason }, problems });
  }
  if (asked === undefined) {
    const isUseful = compareVersions(torch.pypiCuda, cudaUsefulMin) >= 0;
    const value = isUseful ? torch.pypiCuda : (torch.cuda.at(-1) ?? torch.pypiCuda);
    const reason = isUseful
      ? `what torch ${torch.version} on PyPI is built for`
      : `the newest of torch ${torch.version}; PyPI's, for ${torch.pypiCuda}, knows no GPU of today`;
    return withIndex({ framework, torch, written, cuda: { value, reason }, problems });
  }
  if (torch.cuda.includes(asked) || torch.pypiCuda === asked) {
    const cuda = { value: asked, reason: reasonAt(config, "build.cuda") };
    return withIndex({ framework, torch, written, cuda, problems });
  }
  const nearest =
    torch.cuda.findLast((version) => compareVersions(version, asked) <= 0) ?? torch.cuda[0];
  const value = nearest ?? torch.pypiCuda;
  problems.push({
    severity: "warning",
    ...place,
    message: `torch ${torch.version} has no wheels for CUDA ${asked} that byom knows of, only for ${torch.cuda.join(", ")}; those for ${value} are used`,
    hint: wheelsHint({ framework, table, asked, value }),
  });
  const reason = `the nearest that torch ${torch.version} has to ${reasonAt(config, "build.cuda")}, ${asked}`;
  return withIndex({ framework, torch, written, cuda: { value, reason }, problems });
}

/** Without a pin pip takes the newest torch, whatever CUDA it is built for. */
function wheelsHint(options: {
  readonly framework: Framework;
  readonly table: CompatibilityTable;
  readonly asked: string;
  readonly value: string;
}): string {
  const { framework, table, asked, value } = options;
  const older = table.torch.findLast(({ cuda }) => cuda.includes(asked));
  const change = `write cuda: "${value}"`;
  if (framework.package?.pinned !== undefined || older === undefined) return change;
  return `write torch==${older.version}, the newest for CUDA ${asked}, or ${change.slice("write ".length)}`;
}

/** pip needs pytorch.org's own index for every CUDA but PyPI's; an index that the author wrote is enough. */
function withIndex(options: {
  readonly framework: Framework;
  readonly torch: TorchRelease;
  readonly written: { readonly reason: string } | undefined;
  readonly cuda: Decision<string>;
  readonly problems: readonly Problem[];
}): Wheels {
  const { framework, torch, written, cuda, problems } = options;
  const named = framework.package;
  const isOwn = named === undefined || named.isCommand || written !== undefined;
  if (isOwn || (cuda.value === torch.pypiCuda && named.local === undefined))
    return { cuda, problems };
  const tag = `cu${cuda.value.replace(".", "")}`;
  const value = `https://download.pytorch.org/whl/${tag}`;
  const reason = `PyPI's torch ${torch.version} is built for CUDA ${torch.pypiCuda}`;
  return { cuda, index: { value, reason }, problems };
}

/** `cu121` is 12.1, `cu92` is 9.2. */
export function cudaOfTag(tag: string | undefined): string | undefined {
  const digits = /^cu(\d{2,3})$/.exec(tag ?? "")?.[1];
  return digits === undefined ? undefined : `${digits.slice(0, -1)}.${digits.slice(-1)}`;
}

/** The first index or page of links that the author gives pip, and the CUDA in its path. */
function writtenIndex(
  config: Config,
): { readonly reason: string; readonly cuda?: string } | undefined {
  // A lock names its indexes and its digests itself.
  if (config.requirements.lock !== undefined) return { reason: "uv.lock" };
  for (const { text, file, line } of config.requirements.items) {
    const url = /(?:^|\s)(?:-i|-f|--(?:extra-)?index-url|--find-links)[\s=]+(\S+)/.exec(text)?.[1];
    if (url === undefined) continue;
    const cuda = cudaOfTag(/\/(cu\d{2,3})(?:\/|$)/.exec(url)?.[1]);
    const reason = line === undefined ? file : `${file}:${line}`;
    return { reason, ...(cuda === undefined ? {} : { cuda }) };
  }
  return undefined;
}

function chooseCudnn(options: {
  readonly config: Config;
  readonly framework: Framework | undefined;
  readonly toolkit: Toolkit | undefined;
}): Decision<string> | undefined {
  const { config, framework, toolkit } = options;
  if (toolkit !== undefined) return { value: toolkit.cudnn, reason: `in ${toolkit.tag.value}` };
  if (framework?.torch === undefined) return undefined;
  const reason = `inside torch ${framework.torch.version}`;
  return config.cudnn === undefined || config.cudnn === framework.torch.cudnn
    ? { value: framework.torch.cudnn, reason }
    : {
        value: framework.torch.cudnn,
        reason: `${reason}, whatever ${reasonAt(config, "build.cudnn")} says`,
      };
}
