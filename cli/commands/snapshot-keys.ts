import { readFile } from "node:fs/promises";
import type { Command } from "../command.ts";
import { UsageError } from "../errors.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";

interface KeyLine {
  readonly id: string;
  readonly name: string;
  readonly publicKey: string;
}

/** Without arguments: what to give to others on stdout, whom this platform trusts on stderr. */
export const snapshotTrust: Command = {
  usage: "[NAME FILE]",
  positionals: { min: 0, max: 2 },
  async run({ positionals, context }) {
    const [name, file] = positionals;
    const platform = await connectPlatform(context);
    if (name === undefined) {
      const keys = (await platform.call("GET", "/api/v1/snapshot-keys")) as {
        readonly own: KeyLine;
        readonly trusted: readonly KeyLine[];
      };
      const rows = keys.trusted.map((key) => [key.name, key.id]);
      context.output.note(rows.length === 0 ? "no other key is trusted" : formatTable(rows));
      context.output.answer(keys.own.publicKey.trimEnd(), keys);
      return;
    }
    if (file === undefined) {
      throw new UsageError(
        `whose key is ${name}?`,
        `byom snapshot trust ${name} FILE, with what \`byom snapshot trust\` prints on the other platform`,
      );
    }
    const publicKey = await readFile(file, "utf8").catch((error: Error) => {
      throw new UsageError(`${file}: ${error.message}`, `byom snapshot trust ${name} key.pem`);
    });
    const key = (await platform.call("POST", "/api/v1/snapshot-keys", {
      name,
      publicKey,
    })) as KeyLine;
    context.output.note("whoever has this key can run code here: its snapshots are accepted now");
    context.output.answer(`trusted ${key.name} (${key.id})`, key);
  },
};

export const snapshotDistrust: Command = {
  usage: "NAME",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const [name = ""] = positionals;
    const platform = await connectPlatform(context);
    await platform.call("DELETE", `/api/v1/snapshot-keys/${encodeURIComponent(name)}`);
    context.output.answer(`${name} is not trusted any more`, { removed: name });
  },
};
