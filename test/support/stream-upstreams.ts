import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { startFakeCoglet } from "../unit/gateway/fake-coglet.ts";
import { seeded } from "./random-cuts.ts";

/** What stream number `n` says, piece by piece; the same in every process. */
export function scriptOf(n: number): readonly string[] {
  const random = seeded(n * 7919 + 1);
  const words = [
    "so ",
    "it\n",
    "thrée ",
    "\u{1f30a}",
    '"quoted"',
    "\\n",
    "data: x\n\n",
    "— ",
    "word ",
  ];
  return Array.from({ length: 20 + Math.floor(random() * 40) }, (_, at) => {
    const word = words[Math.floor(random() * words.length)] ?? "";
    return `${at}${word.repeat(1 + Math.floor(random() * 6))}`;
  });
}

export interface StreamUpstreams extends AsyncDisposable {
  /** Of the instance of the own model. */
  readonly instance: string;
  /** Base URL of the provider. */
  readonly provider: string;
  /** How often each stream was asked for. */
  readonly calls: ReadonlyMap<number, number>;
  /** What the provider sent for each stream, as far as its caller is to see it. */
  readonly sent: ReadonlyMap<number, string>;
  readonly faults: readonly string[];
  /** How many streams wait in their middle. */
  readonly held: () => number;
  /** Lets them go on. */
  readonly release: () => void;
}

/** An instance and a provider that say `scriptOf(n)` to whoever asks for `stream N`, at their own pace. */
export async function startStreamUpstreams(options: {
  /** Milliseconds between two pieces. */
  readonly paceMs: () => number;
  /** Before this piece the stream waits until `release`. */
  readonly holdAt: (n: number) => number | undefined;
}): Promise<StreamUpstreams> {
  const released = Promise.withResolvers<void>();
  let held = 0;
  const pause = async (n: number, at: number): Promise<void> => {
    await delay(options.paceMs());
    if (options.holdAt(n) !== at) return;
    held += 1;
    await released.promise;
  };
  const calls = new Map<number, number>();
  const sent = new Map<number, string>();
  const faults: string[] = [];
  const count = (text: string): number => {
    const n = Number(/stream (\d+)/.exec(text)?.[1] ?? Number.NaN);
    calls.set(n, (calls.get(n) ?? 0) + 1);
    return n;
  };
  const coglet = await startFakeCoglet();
  coglet.play(async (prediction) => {
    const n = count(JSON.stringify(prediction.input));
    prediction.start();
    for (const [at, piece] of scriptOf(n).entries()) {
      await pause(n, at);
      await prediction.output(piece);
    }
    prediction.complete({ metrics: { predict_time: 1, input_tokens: 3, output_tokens: 9 } });
  });
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += String(chunk);
      const n = count(body);
      const random = seeded(n);
      response.writeHead(200, { "content-type": "text/event-stream" });
      const write = async (frame: string, isSeen = true): Promise<void> => {
        if (isSeen) sent.set(n, (sent.get(n) ?? "") + frame);
        const bytes = Buffer.from(frame);
        // Events come torn at any byte.
        const at = Math.floor(random() * bytes.length);
        response.write(bytes.subarray(0, at));
        if (random() < 0.3) await delay(1);
        response.write(bytes.subarray(at));
      };
      const head = { id: `theirs-${n}`, object: "chat.completion.chunk", odd: [1.5, "é"] };
      for (const [at, piece] of scriptOf(n).entries()) {
        await pause(n, at);
        const choices = [{ index: 0, delta: { content: piece }, finish_reason: null }];
        await write(`data: ${JSON.stringify({ ...head, choices })}\n\n`);
      }
      const last = [{ index: 0, delta: {}, finish_reason: "stop" }];
      await write(`data: ${JSON.stringify({ ...head, choices: last })}\n\n`);
      const usage = { prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 };
      // The gateway asks for it, its caller did not.
      await write(`data: ${JSON.stringify({ ...head, choices: [], usage })}\n\n`, false);
      await write("data: [DONE]\n\n");
      response.end();
    };
    answer().catch((error: unknown) => faults.push(String(error)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    instance: coglet.origin,
    provider: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    sent,
    get faults() {
      return [...faults, ...coglet.faults];
    },
    held: () => held,
    release: released.resolve,
    [Symbol.asyncDispose]: async () => {
      released.resolve();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await coglet.close();
    },
  };
}
