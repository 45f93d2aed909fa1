import type { Command } from "../command.ts";
import { connectPlatform } from "../platform-client.ts";

interface CacheReport {
  readonly memory: { readonly answers: number; readonly bytes: number };
  readonly disk: { readonly answers: number; readonly bytes: number };
  readonly hits: number;
  readonly joined: number;
  readonly misses: number;
}

export const cacheClear: Command = {
  usage: "[MODEL]",
  positionals: { min: 0, max: 1 },
  async run({ positionals, context }) {
    const [model] = positionals;
    const platform = await connectPlatform(context);
    const before = (await platform.call("GET", "/api/v1/cache")) as CacheReport;
    const query = model === undefined ? "" : `?model=${encodeURIComponent(model)}`;
    await platform.call("DELETE", `/api/v1/cache${query}`);
    const after = (await platform.call("GET", "/api/v1/cache")) as CacheReport;
    const cleared = before.disk.answers - after.disk.answers;
    const what = model === undefined ? "" : ` of ${model}`;
    context.output.answer(`${cleared} stored answers${what} cleared, ${after.disk.answers} left`, {
      cleared,
      left: after.disk.answers,
    });
  },
};
