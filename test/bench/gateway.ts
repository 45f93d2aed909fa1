// What the gateway costs a caller of a third party's model: beside a direct call, a bare forwarder (the limit of one
// Node process) and Portkey's open-source gateway, all on this machine, alternating in one run.
import { Client } from "undici";
import { closedLoop, openStreams, sequential, type Route, type Timing } from "./gateway/load.ts";
import { startPortkey } from "./gateway/portkey.ts";
import { cpuMs, residentBytes, startServer, type ServerProcess } from "./gateway/process.ts";
import { measured, median, type Row } from "./report.ts";
import type { Benchmark } from "./run.ts";

const rounds = 7;
const callsPerRound = 150;
const warmUpCalls = 1_000;
const loadConnections = 32;
const loadMs = 2_500;
const heldStreams = 1_000;

type Name = "direct" | "forwarder" | "byom" | "portkey";

const benchmark: Benchmark = async ({ signal, note }) => {
  await using cleanup = new AsyncDisposableStack();
  const upstream = cleanup.use(await startServer("upstream", []));
  const forwarder = cleanup.use(await startServer("forwarder", [upstream.origin]));
  const byom = cleanup.use(await startServer("byom", [upstream.origin]));
  const portkey = cleanup.use(await startPortkey(signal));
  const routes = routesTo({ upstream, forwarder, byom, portkey });
  const processes = { direct: upstream, forwarder, byom, portkey };
  const client = (name: Name): Client => cleanup.use(disposable(new Client(routes[name].origin)));
  const clients: Record<Name, Client> = {
    direct: client("direct"),
    forwarder: client("forwarder"),
    byom: client("byom"),
    portkey: client("portkey"),
  };
  const measure = { routes, processes, clients, signal, note };
  for (const name of names) {
    await sequential(clients[name], routes[name], { calls: warmUpCalls, isStreamed: false });
    await sequential(clients[name], routes[name], { calls: warmUpCalls / 2, isStreamed: true });
  }
  const whole = await latency({ ...measure, isStreamed: false });
  const streamed = await latency({ ...measure, isStreamed: true });
  const load = await throughput(measure);
  const memory = await streamMemory(measure);
  return [...wholeRows(whole), ...streamRows(streamed), ...load, memory];
};
export default benchmark;

const names: readonly Name[] = ["direct", "forwarder", "byom", "portkey"];

interface Measure {
  readonly routes: Readonly<Record<Name, Route>>;
  readonly processes: Readonly<Record<Name, ServerProcess>>;
  readonly clients: Readonly<Record<Name, Client>>;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

type Timings = Readonly<Record<Name, readonly (readonly Timing[])[]>>;

function routesTo(servers: {
  readonly upstream: ServerProcess;
  readonly forwarder: ServerProcess;
  readonly byom: ServerProcess;
  readonly portkey: ServerProcess;
}): Record<Name, Route> {
  const path = "/v1/chat/completions";
  const json = { "content-type": "application/json" };
  const { upstream, forwarder, byom, portkey } = servers;
  return {
    direct: { name: "direct", origin: upstream.origin, path, headers: json, model: "upstream" },
    forwarder: {
      name: "forwarder",
      origin: forwarder.origin,
      path,
      headers: json,
      model: "upstream",
    },
    byom: {
      name: "byom",
      origin: byom.origin,
      path,
      headers: { ...json, authorization: `Bearer ${byom.facts["key"]}` },
      model: "bench/chat",
    },
    portkey: {
      name: "portkey",
      origin: portkey.origin,
      path,
      headers: {
        ...json,
        authorization: "Bearer upstream-key",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": `${upstream.origin}/v1`,
      },
      model: "upstream",
    },
  };
}

/** One caller at a time; in each round every route makes its calls, in turn. */
async function latency(measure: Measure & { readonly isStreamed: boolean }): Promise<Timings> {
  const timings: Record<Name, (readonly Timing[])[]> = {
    direct: [],
    forwarder: [],
    byom: [],
    portkey: [],
  };
  const { isStreamed } = measure;
  for (let round = 0; round < rounds; round += 1) {
    measure.signal.throwIfAborted();
    for (const name of rotate(names, round)) {
      const { clients, routes } = measure;
      const options = { calls: callsPerRound, isStreamed };
      timings[name].push(await sequential(clients[name], routes[name], options));
    }
    measure.note(`${isStreamed ? "streamed" : "whole"} calls, round ${round + 1} of ${rounds}`);
  }
  return timings;
}

function wholeRows(timings: Timings): readonly Row[] {
  const total = ({ totalMs }: Timing): number => totalMs;
  return [
    addedRow({ work: "call, added at p50", timings, of: total, quantile: 0.5, goalMs: 0.2 }),
    addedRow({ work: "call, added at p99", timings, of: total, quantile: 0.99, goalMs: 2 }),
  ];
}

function streamRows(timings: Timings): readonly Row[] {
  const first = ({ firstMs }: Timing): number => firstMs;
  return [
    addedRow({ work: "first token, added at p50", timings, of: first, quantile: 0.5, goalMs: 0.3 }),
    addedRow({ work: "first token, added at p99", timings, of: first, quantile: 0.99, goalMs: 2 }),
  ];
}

/** Per round: the route's quantile less the direct call's; the row shows the median over the rounds. */
function addedRow(options: {
  readonly work: string;
  readonly timings: Timings;
  readonly of: (timing: Timing) => number;
  readonly quantile: number;
  readonly goalMs: number;
}): Row {
  const { work, timings, of, quantile, goalMs } = options;
  const at = (name: Name): readonly number[] =>
    timings[name].map((round) => quantileOf(round.map(of), quantile));
  const direct = at("direct");
  const added = (name: Name): readonly number[] =>
    at(name).map((value, round) => value - (direct[round] ?? 0));
  const portkey = measured("Portkey's gateway", added("portkey"));
  const byom = measured("byom", added("byom"));
  return {
    work,
    unit: "ms",
    baseline: portkey,
    byom,
    ratio: portkey.median / byom.median,
    goal: `at most ${goalMs} ms`,
    met: byom.median <= goalMs,
    phases: {
      "direct call": `${median(direct).toFixed(3)} ms`,
      "added by a bare forwarder": `${median(added("forwarder")).toFixed(3)} ms`,
    },
  };
}

/** Many callers at once: how much one process carries, and what a call costs it. */
async function throughput(measure: Measure): Promise<readonly Row[]> {
  const rates: Record<Name, number[]> = { direct: [], forwarder: [], byom: [], portkey: [] };
  const costs: Record<Name, number[]> = { direct: [], forwarder: [], byom: [], portkey: [] };
  for (let round = 0; round < 3; round += 1) {
    for (const name of rotate(["forwarder", "byom", "portkey"] as const, round)) {
      measure.signal.throwIfAborted();
      const { pid } = measure.processes[name];
      const before = cpuMs(pid);
      const { calls, seconds } = await closedLoop(measure.routes[name], {
        connections: loadConnections,
        durationMs: loadMs,
        isStreamed: false,
      });
      rates[name].push(calls / seconds);
      costs[name].push((cpuMs(pid) - before) / calls);
    }
    measure.note(`${loadConnections} callers at once, round ${round + 1} of 3`);
  }
  const byom = measured("byom", rates.byom);
  const against = (name: Name, what: string, goal: number): Row => {
    const baseline = measured(what, rates[name]);
    const ratio = byom.median / baseline.median;
    return {
      work: `calls a second, ${loadConnections} callers, beside ${what}`,
      unit: "1/s",
      baseline,
      byom,
      ratio,
      goal: `at least ${goal}×`,
      met: ratio >= goal,
      phases: {
        "CPU a call, byom": `${median(costs.byom).toFixed(3)} ms`,
        [`CPU a call, ${what}`]: `${median(costs[name]).toFixed(3)} ms`,
      },
    };
  };
  return [
    against("portkey", "Portkey's gateway", 5),
    against("forwarder", "a bare forwarder", 0.6),
  ];
}

/** What a stream that waits for its next token holds in memory; the forwarder's is the floor. */
async function streamMemory(measure: Measure): Promise<Row> {
  const grown = async (name: Name): Promise<number> => {
    const { pid } = measure.processes[name];
    const before = residentBytes(pid);
    const close = await openStreams(measure.routes[name], heldStreams);
    const after = residentBytes(pid);
    await close();
    measure.note(`${heldStreams} idle streams through ${name}`);
    return (after - before) / 2 ** 20;
  };
  const forwarder = measured("a bare forwarder", [await grown("forwarder")]);
  const byom = measured("byom", [await grown("byom")]);
  return {
    work: `memory of ${heldStreams} idle streams`,
    unit: "MiB",
    baseline: forwarder,
    byom,
    ratio: forwarder.median / byom.median,
    goal: "at most 30 MiB",
    met: byom.median <= 30,
  };
}

function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
}

function rotate<Item>(items: readonly Item[], by: number): readonly Item[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function disposable(client: Client): Client & AsyncDisposable {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.destroy() });
}
