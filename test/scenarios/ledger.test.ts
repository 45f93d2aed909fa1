// The owner of a platform holds its bill against what the providers say: thousands of calls with ten keys of metadata,
// over two providers that fail at random, and the platform is killed twice in the middle. What the two providers served
// and what the ledger says is the same, to the nano-dollar, for each provider and each customer.
//
// BYOM_LEDGER_REQUESTS=50000 runs it in full size.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Pool } from "undici";
import { expect, it } from "vitest";

import { startUpstream, type Served, type Upstream } from "./ledger/upstream.ts";

const requests = Number(process.env["BYOM_LEDGER_REQUESTS"] ?? 3_000);
const inFlight = 48;
const customers = 40;
const full = 1_800_000;

/** Dollars per million tokens; neither is a whole number of nano-dollars per token. */
const prices = { input: "0.1234567", cached: "0.0123457", output: "0.9876543" } as const;
/** The same in 10⁻⁷ dollars per million: 10⁻⁴ nano-dollars per token. */
const scaled = { input: 1_234_567n, cached: 123_457n, output: 9_876_543n } as const;

/** What a request costs by the provider's own books: each line rounded half up once. */
function billOf({ inputTokens, cachedTokens, outputTokens }: Served): bigint {
  const line = (tokens: number, price: bigint): bigint =>
    (BigInt(tokens) * price * 2n + 10_000n) / 20_000n;
  return (
    line(inputTokens - cachedTokens, scaled.input) +
    line(cachedTokens, scaled.cached) +
    line(outputTokens, scaled.output)
  );
}

const sumOf = (served: readonly Served[]): bigint =>
  served.reduce((sum, one) => sum + billOf(one), 0n);

/** Repeatable chance (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The platform as a process, which is killed and started again on the same folder. */
class Platform {
  readonly #directory: string;
  #child: ChildProcess | undefined;
  pool: Pool | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async start(): Promise<void> {
    const program = fileURLToPath(new URL("ledger/platform.ts", import.meta.url));
    const child = spawn(process.execPath, [program, this.#directory], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const [url] = (await once(child, "message")) as [string];
    this.#child = child;
    this.pool = new Pool(url, { connections: inFlight });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
    await this.pool?.destroy();
  }

  async admin(method: "GET" | "PUT" | "POST", path: string, body?: unknown): Promise<unknown> {
    if (this.pool === undefined) throw new Error("it does not run");
    const response = await this.pool.request({
      method,
      path: `/api/v1${path}`,
      headers: { authorization: "Bearer byom_admin", "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Whether it was answered. */
  async call(request: number): Promise<boolean> {
    const metadata = {
      request,
      customer: customerOf(request),
      team: `team-${request % 6}`,
      feature: `feature-${request % 11}`,
      environment: request % 5 === 0 ? "staging" : "production",
      region: `region-${request % 3}`,
      tier: request % 4,
      beta: request % 2 === 0,
      session: `session-${Math.floor(request / 7)}`,
      language: `language-${request % 8}`,
    };
    try {
      const response = await this.pool?.request({
        method: "POST",
        path: "/v1/chat/completions",
        headers: {
          authorization: "Bearer byom_app",
          "content-type": "application/json",
          "cf-aig-metadata": JSON.stringify(metadata),
        },
        body: JSON.stringify({
          model: "team/chat",
          messages: [{ role: "user", content: String(request) }],
          ...(request % 3 === 0 && { stream: true, stream_options: { include_usage: true } }),
        }),
      });
      await response?.body.dump();
      return response?.statusCode === 200;
    } catch {
      // Killed.
      return false;
    }
  }
}

function customerOf(request: number): string {
  return `customer-${request % customers}`;
}

async function configure(platform: Platform, upstreams: readonly Upstream[]): Promise<void> {
  for (const [index, { baseUrl }] of upstreams.entries()) {
    await platform.admin("PUT", `/providers/provider-${index}`, {
      adapter: "openai-compatible",
      baseUrl,
      key: "sk-upstream",
      allowPrivate: true,
    });
  }
  await platform.admin("PUT", "/catalog/models/team/chat", {
    task: "text-generation",
    upstreams: upstreams.map((_, index) => ({ provider: `provider-${index}`, model: "served" })),
    prices: [
      { unit: "input-token", per: 1_000_000, usd: prices.input },
      { unit: "cached-input-token", per: 1_000_000, usd: prices.cached },
      { unit: "output-token", per: 1_000_000, usd: prices.output },
    ],
  });
}

interface Spend {
  readonly rows: readonly (Readonly<Record<string, unknown>> & { readonly nanoUsd: string })[];
  readonly total: {
    readonly nanoUsd: string;
    readonly legs: number;
    readonly failedLegs: number;
    readonly interruptedLegs: number;
    readonly retriedLegs: number;
    readonly unpricedLegs: number;
  };
  readonly openLegs: number;
}

async function interruptedLegs(platform: Platform): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let before = ""; ;) {
    const page = (await platform.admin(
      "GET",
      `/spend/legs?filter[state]=interrupted&limit=1000${before}`,
    )) as { readonly legs: readonly { readonly leg: string }[]; readonly next?: number };
    ids.push(...page.legs.map(({ leg }) => leg));
    if (page.next === undefined) return ids;
    before = `&before=${page.next}`;
  }
}

/** As an owner does it with the lists of the providers; a leg that is in none was never served. */
async function settle(
  platform: Platform,
  served: readonly Served[],
): Promise<{ readonly settled: number }> {
  const lists = new Map(served.map((one) => [one.leg, one]));
  const legs = (await interruptedLegs(platform)).map((leg) => {
    const one = lists.get(leg);
    if (one === undefined) return { leg, nano_usd: 0 };
    const { inputTokens, outputTokens, cachedTokens } = one;
    return {
      leg,
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      cached_tokens: cachedTokens,
    };
  });
  return (await platform.admin("POST", "/spend/settle", { legs })) as { settled: number };
}

/** Sends them all; the platform is killed when a third, and two thirds of them have been sent. */
async function sendAll(platform: Platform): Promise<{ answered: number; kills: number }> {
  let [sent, answered, kills] = [0, 0, 0];
  let restart: Promise<void> | undefined;
  const killAt = [Math.floor(requests / 3), Math.floor((2 * requests) / 3)];
  const sender = async (): Promise<void> => {
    while (sent < requests) {
      const request = sent;
      sent += 1;
      if (killAt.includes(request)) {
        kills += 1;
        restart = platform.kill().then(() => platform.start());
      }
      await restart;
      if (await platform.call(request)) answered += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
  return { answered, kills };
}

it(
  `${requests} calls over two failing providers and two kills cost what the providers served`,
  { timeout: full },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "byom-ledger-scenario-"));
    await using one = await startUpstream(createRandom(1));
    await using other = await startUpstream(createRandom(2));
    const upstreams = [one, other];
    const platform = new Platform(directory);
    try {
      await platform.start();
      await configure(platform, upstreams);
      const { answered, kills } = await sendAll(platform);
      expect(kills).toBe(2);
      // Failures are failed over: what is missing is what the kills took.
      expect(answered).toBeGreaterThan(requests * 0.9);
      const served = upstreams.flatMap((upstream) => upstream.served);
      expect(upstreams.map((upstream) => upstream.failed() > requests / 100)).toEqual([true, true]);

      const before = (await platform.admin("GET", "/spend")) as Spend;
      expect(before.total.interruptedLegs).toBeGreaterThan(0);
      const { settled } = await settle(platform, served);
      expect(settled).toBe(before.total.interruptedLegs);
      expect((await settle(platform, served)).settled).toBe(0);

      const byProvider = (await platform.admin("GET", "/spend?by=provider")) as Spend;
      expect(byProvider.openLegs).toBe(0);
      expect(byProvider.total).toMatchObject({
        nanoUsd: String(sumOf(served)),
        interruptedLegs: 0,
        unpricedLegs: 0,
      });
      for (const [index, upstream] of upstreams.entries()) {
        const row = byProvider.rows.find(({ provider }) => provider === `provider-${index}`);
        expect(row?.nanoUsd).toBe(String(sumOf(upstream.served)));
      }
      const byCustomer = (await platform.admin(
        "GET",
        "/spend?by=metadata.customer&limit=1000",
      )) as Spend;
      const expected = Map.groupBy(served, ({ request }) => customerOf(request));
      for (const { nanoUsd, "metadata.customer": customer } of byCustomer.rows) {
        expect(nanoUsd).toBe(String(sumOf(expected.get(String(customer)) ?? [])));
      }
      expect(byCustomer.rows).toHaveLength(customers);

      // Once more, from what is on disk.
      await platform.kill();
      await platform.start();
      const after = (await platform.admin("GET", "/spend")) as Spend;
      expect(after.total).toEqual(byProvider.total);
    } finally {
      await platform.kill();
      await rm(directory, { recursive: true, force: true });
    }
  },
);
