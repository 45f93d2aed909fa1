import { readFile } from "node:fs/promises";

import type { Command } from "../command.ts";
import { CommandError } from "../errors.ts";
import { connectPlatform } from "../platform-client.ts";

interface Settled {
  readonly settled: number;
  readonly settledBefore: number;
  readonly notInterrupted: readonly string[];
}

/** Lines of one request; a list of a day comes in parts. */
const linesPerRequest = 5_000;
const shownMax = 5;

export const spendSettle: Command = {
  usage: "FILE",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const file = positionals[0] ?? "";
    const lines = parseLines(file, await readList(file));
    const platform = await connectPlatform(context);
    const result = { settled: 0, settledBefore: 0, notInterrupted: [] as string[] };
    for (let from = 0; from < lines.length; from += linesPerRequest) {
      const legs = lines.slice(from, from + linesPerRequest);
      const part = (await platform.call("POST", "/api/v1/spend/settle", { legs })) as Settled;
      result.settled += part.settled;
      result.settledBefore += part.settledBefore;
      result.notInterrupted.push(...part.notInterrupted);
    }
    context.output.answer(render(result), result);
  },
};

async function readList(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CommandError({
      code: "list_unreadable",
      message: `${file} cannot be read (${(cause as { code?: string }).code ?? "unknown"})`,
      hint: 'a list has one JSON object a line: {"leg":"ID","input_tokens":12,"output_tokens":3}',
      cause,
    });
  }
}

function parseLines(file: string, text: string): readonly unknown[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch (cause) {
      throw new CommandError({
        code: "list_invalid",
        message: `${file}:${index + 1} is not JSON`,
        hint: 'one object a line: {"leg":"ID","nano_usd":1500} or {"leg":"ID","input_tokens":12,"output_tokens":3}',
        cause,
      });
    }
  });
}

function render({ settled, settledBefore, notInterrupted }: Settled): string {
  const shown = notInterrupted.slice(0, shownMax).join(", ");
  const more = notInterrupted.length > shownMax ? ", …" : "";
  return [
    `${settled} settled`,
    ...(settledBefore > 0
      ? [`${settledBefore} had been settled before, and stay as they are`]
      : []),
    ...(notInterrupted.length > 0
      ? [`${notInterrupted.length} are no interrupted legs: ${shown}${more}`]
      : []),
  ].join("\n");
}
