import type { ManagedWeight } from "./managed-weights.ts";
import type { EnvironmentStep, Plan, PlannedFile } from "./plan.ts";

/** Files of each kind that the text names; `--json` has them all. */
const listedFilesMax = 10;

/** The plan for people: what will be built, why, and how large it is. Lines end with `\n`. */
export function renderPlan(plan: Plan): string {
  const rows: [string, string][] = [
    ["image", `${plan.imageName} (${plan.platform})`],
    ...decidedRow("dockerfile", plan.dockerfile),
    ["base image", decided(plan.baseImage)],
    ["python", decided(plan.pythonVersion)],
    ["cog", decided(plan.cogVersion)],
    ["gpu", plan.gpu ? "yes" : "no"],
    ...decidedRow("framework", plan.framework),
    ...decidedRow("cuda", plan.cuda),
    ...decidedRow("cudnn", plan.cudnn),
    ...decidedRow("pip index", plan.packageIndex),
    ["predictor", plan.predictor ?? "none: the image holds only an environment"],
    ...(plan.trainer === undefined ? [] : [["trainer", plan.trainer] as [string, string]]),
    ["command", [...plan.entrypoint, ...plan.command].join(" ")],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const sections = [
    rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ["environment, built by the engine:", ...plan.environment.flatMap(describeStep)],
    describeFiles("weights, one layer each below the code", plan.weights, largestFirst),
    ...(plan.managedWeights === undefined ? [] : [describeManaged(plan.managedWeights)]),
    describeFiles(`code, one layer in ${plan.workingDirectory}`, plan.code, largestFirst),
    ["variables:", ...Object.entries(plan.variables).map(([name, value]) => `  ${name}=${value}`)],
  ];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** `1.5 GiB`: bytes in the largest binary unit that keeps the number at 1 or more. */
export function renderBytes(sizeBytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function decidedRow(
  name: string,
  decision: { readonly value: string; readonly reason: string } | undefined,
): [string, string][] {
  return decision === undefined ? [] : [[name, decided(decision)]];
}

function decided(decision: { readonly value: string; readonly reason: string }): string {
  return `${decision.value} (${decision.reason})`;
}

function describeStep(step: EnvironmentStep): string[] {
  switch (step.kind) {
    case "system-packages":
      return [
        "  apt-get install",
        ...step.packages.map((name) => {
          const reason = step.reasons[name];
          return `    ${name}${reason === undefined ? "" : ` (added: ${reason})`}`;
        }),
      ];
    case "python-requirements": {
      const lines = step.lines.filter((line) => line.trim() !== "");
      if (step.lock !== undefined) {
        return [
          `  uv export of ${step.file}, pip install (at most ${lines.length} packages)`,
          ...step.lock.indexes.map((url) => `    --extra-index-url ${url}`),
        ];
      }
      return [
        `  pip install${step.file === undefined ? "" : ` -r ${step.file}`}`,
        ...lines.map((line) => `    ${line}`),
      ];
    }
    case "cog":
      return [`  pip install cog ${step.cogVersion}, coglet ${step.cogletVersion}`];
    case "run": {
      const secrets = step.secrets.map(({ id }) => id).join(", ");
      return [`  run ${step.command}${secrets === "" ? "" : ` (secrets: ${secrets})`}`];
    }
  }
}

function describeFiles(
  title: string,
  files: readonly PlannedFile[],
  order: (left: PlannedFile, right: PlannedFile) => number,
): string[] {
  if (files.length === 0) return [`${title}: none`];
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const listed = files.toSorted(order).slice(0, listedFilesMax);
  const rest = files.length - listed.length;
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  return [
    `${title}: ${count}, ${renderBytes(total)}`,
    ...listed.map((file) => `  ${file.path} ${describeSize(file)}`),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ];
}

function describeManaged(weights: readonly ManagedWeight[]): string[] {
  return [
    "weights of cog.yaml, from elsewhere:",
    ...weights.map(({ name, target, uris, sizeBytes }) => {
      const size = sizeBytes === undefined ? "" : `, ${renderBytes(sizeBytes)}`;
      return `  ${name} in ${target} from ${uris.join(", ") || "nowhere yet"}${size}`;
    }),
  ];
}

function describeSize(file: PlannedFile): string {
  return file.linkTarget === undefined ? renderBytes(file.sizeBytes) : `-> ${file.linkTarget}`;
}

function largestFirst(left: PlannedFile, right: PlannedFile): number {
  return right.sizeBytes - left.sizeBytes;
}
