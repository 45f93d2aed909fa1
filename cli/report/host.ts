import type { HostCheckReport, HostEvent, HostPlan } from "../../host/index.ts";
import { formatDuration, formatTable, type Output } from "../output.ts";

/** What a set-up does, as it does it. */
export function createHostReporter(output: Output): (event: HostEvent) => void {
  return (event) => {
    if (event.type === "step-start") {
      output.note(`[${event.number}/${event.count}] ${event.step.what} (${event.step.why})`);
    } else if (event.type === "step-output") {
      output.note(output.style("dim", `      ${event.line}`));
    } else if (event.type === "step-end") {
      output.note(`      ${event.result} (${formatDuration(event.elapsedMs)})`);
    } else {
      output.warn(`${event.note.message}. To change that: ${event.note.hint}`);
    }
  };
}

/** What a set-up would do. */
export function renderHostPlan(plan: HostPlan): string {
  if (plan.steps.length === 0 && plan.notes.length === 0)
    return "Nothing to do: this host is set up.";
  return [
    ...plan.steps.map(
      (step, index) => `${index + 1}. ${step.what}\n   why: ${step.why}\n   how: ${step.command}`,
    ),
    ...plan.notes.map((note) => `left as it is: ${note.message}\n   to change that: ${note.hint}`),
  ].join("\n");
}

/** One line for each thing that was looked at, then the start modes. */
export function renderHostCheck(report: HostCheckReport): string {
  const rows = report.items.map(({ name, status, detail, hint }) => [
    { ok: "ok", warn: "warn", missing: "missing" }[status],
    name,
    hint === undefined || status === "ok" ? detail : `${detail}; ${hint}`,
  ]);
  const modes = report.startModes.map(({ mode, isPossible, reason }) => [
    isPossible ? "ok" : "missing",
    `${mode} start`,
    reason ?? "",
  ]);
  return formatTable([...rows, ...modes]);
}
