// Speaks the lines of runtime/gpu/helper.py over a driver that is only a table: a process per unit test, told what it
// has and where it fails by a JSON file. Every request is appended to `LOG` as `do pid`.
import { appendFileSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface FakeGpu {
  readonly facts: Readonly<Record<string, unknown>>;
  /** CUDA processes by PID. */
  readonly processes: Readonly<Record<string, { readonly deviceBytes: number }>>;
  readonly faults?: readonly {
    readonly do: string;
    readonly pid?: number;
    /** A CUresult, or what becomes of the helper. */
    readonly with: number | "exit" | "hang" | "garbage";
  }[];
}

interface Request {
  readonly id: number;
  readonly do: string;
  readonly pid?: number;
  readonly pids?: readonly number[];
  readonly pairs?: readonly (readonly string[])[];
}

const [file = "", log = ""] = process.argv.slice(2);
const fake = JSON.parse(readFileSync(file, "utf8")) as FakeGpu;
const states = new Map(Object.keys(fake.processes).map((pid) => [Number(pid), "running"]));
const illegalState = { ok: false, call: "cuCheckpoint", status: 401, message: "ILLEGAL_STATE" };

function perform(request: Request): Record<string, unknown> {
  const { pid = 0 } = request;
  const move = (from: string, to: string): Record<string, unknown> => {
    if (states.get(pid) !== from) return illegalState;
    states.set(pid, to);
    return { ok: true };
  };
  switch (request.do) {
    case "facts":
      return { ok: true, ...fake.facts };
    case "initialize":
      return { ok: true, cudaVersion: 13_000 };
    case "state":
      return { ok: true, state: states.get(pid) ?? "none" };
    case "memory":
      return {
        ok: true,
        bytes: (request.pids ?? []).map((each) => [each, fake.processes[each]?.deviceBytes ?? 0]),
      };
    case "lock":
      return move("running", "locked");
    case "checkpoint":
      return move("locked", "checkpointed");
    case "restore":
      return move("checkpointed", "locked");
    case "unlock":
      return move("locked", "running");
    default:
      return { ok: false, call: request.do, message: "unknown" };
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line) as Request;
  const pairs = request.pairs?.map((pair) => pair.join("=")) ?? [];
  appendFileSync(log, `${[request.do, request.pid ?? "", ...pairs].join(" ").trim()}\n`);
  const fault = fake.faults?.find(
    (candidate) =>
      candidate.do === request.do && (candidate.pid === undefined || candidate.pid === request.pid),
  );
  if (fault?.with === "hang") return;
  if (fault?.with === "garbage") return void process.stdout.write("Segmentation fault\n");
  if (fault?.with === "exit") {
    process.stderr.write("driver: assertion failed\n");
    process.exit(3);
  }
  const reply =
    fault === undefined
      ? perform(request)
      : { ok: false, call: request.do, status: fault.with, message: `CUDA error ${fault.with}` };
  process.stdout.write(`${JSON.stringify({ id: request.id, ...reply })}\n`);
});
