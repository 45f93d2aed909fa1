import { CommandError } from "../errors.ts";
import { formatBytes, formatDuration, type Output } from "../output.ts";
import { renderPhases, type Start } from "./start.ts";

/** What a deploy ended with. */
export interface Deployed {
  readonly version: number;
  readonly isChanged: boolean;
  readonly snapshot:
    | { readonly id: string; readonly sizeBytes: number }
    | { readonly reason: string };
}

interface DeployLine {
  readonly type?: string;
  readonly [key: string]: unknown;
}

/** The platform's deploy events as lines on stderr, and the result that the last one carries. */
export function createDeployReporter(output: Output): {
  onEvent: (event: unknown) => void;
  result: () => Deployed;
} {
  let result: Deployed | undefined;
  return {
    onEvent: (event) => {
      const line = event as DeployLine;
      if (line["error"] !== undefined) throw deployFailure(line["error"]);
      if (line["result"] !== undefined) result = readResult(line["result"]);
      const text = renderDeployEvent(line);
      if (text !== undefined) output.note(text);
    },
    result: () => {
      if (result === undefined) {
        throw new CommandError({
          code: "deploy_interrupted",
          message: "the platform stopped answering before the deploy was over",
          hint: "`byom status` shows what serves; run `byom push` again",
        });
      }
      return result;
    },
  };
}

function renderDeployEvent(line: DeployLine): string | undefined {
  switch (line.type) {
    case "deploy-wait":
      return "deploy: another deploy of this model is under way, waiting";
    case "version-recorded":
      return line["isNew"] === true ? `deploy: version ${String(line["version"])}` : undefined;
    case "setup-start":
      return `deploy: starting instance ${String(line["instanceId"])}`;
    case "setup-end":
      return `deploy: ${renderPhases(line["start"] as Start)}`;
    case "example-end":
      return `deploy: answered its example in ${formatDuration(Number(line["ms"]))}`;
    case "snapshot-start":
      return "deploy: taking the snapshot";
    case "snapshot-end":
      return `deploy: snapshot of ${formatBytes(Number(line["sizeBytes"]))} in ${formatDuration(Number(line["ms"]))}`;
    case "snapshot-skip":
      return `deploy: no snapshot: ${String(line["reason"])}`;
    case "traffic-switch":
      return `deploy: version ${String(line["version"])} serves`;
    default:
      return undefined;
  }
}

function readResult(value: unknown): Deployed {
  const { version, isChanged, snapshot } = value as {
    version: { number: number };
    isChanged: boolean;
    snapshot: Deployed["snapshot"];
  };
  return { version: version.number, isChanged, snapshot };
}

function deployFailure(value: unknown): CommandError {
  const error = value as {
    code?: string;
    message?: string;
    hint?: string;
    details?: { logLines?: readonly string[] };
    logLines?: readonly string[];
  };
  return new CommandError({
    code: error.code ?? "deploy_failed",
    message: error.message ?? "the deploy failed",
    ...(error.hint !== undefined && { hint: error.hint }),
    details: error.details ?? error,
  });
}
