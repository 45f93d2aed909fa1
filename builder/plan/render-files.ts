import type { Plan, PlannedFile } from "./plan.ts";
import { renderBytes } from "./render.ts";

/** Every file of the repo that goes into the image, weights first: `SIZE  PATH`, links with their target. */
export function renderPlannedFiles(plan: Plan): string {
  const groups = [
    renderGroup("weights, one layer each below the code", plan.weights),
    renderGroup(`code, one layer in ${plan.workingDirectory}`, plan.code),
  ];
  return `${groups.join("\n\n")}\n`;
}

function renderGroup(title: string, files: readonly PlannedFile[]): string {
  if (files.length === 0) return `${title}: none`;
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  const sizes = files.map((file) =>
    file.linkTarget === undefined ? renderBytes(file.sizeBytes) : "link",
  );
  const width = sizes.reduce((widest, size) => Math.max(widest, size.length), 0);
  const lines = files.map((file, index) => {
    const target = file.linkTarget === undefined ? "" : ` -> ${printable(file.linkTarget)}`;
    return `  ${(sizes[index] ?? "").padStart(width)}  ${printable(file.path)}${target}`;
  });
  return [`${title}: ${count}, ${renderBytes(total)}`, ...lines].join("\n");
}

/** One line per file, whatever its name holds. */
function printable(path: string): string {
  return /\p{Cc}/u.test(path) ? JSON.stringify(path) : path;
}
