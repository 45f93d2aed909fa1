import type { Message } from "./protobuf.ts";
import { refuse } from "./refusal.ts";

/** `struct seccomp_data` (linux/seccomp.h): number, architecture, instruction pointer, six arguments. */
export interface SystemCall {
  readonly number: number;
  readonly architecture: number;
  /** Low halves are enough for what is asked here. */
  readonly arguments: readonly number[];
}

/** One instruction of classic BPF: `struct sock_filter`. */
interface Instruction {
  readonly code: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly k: number;
}

/** linux/audit.h */
const architectures = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
/** `SECCOMP_RET_ALLOW`, `_LOG` and `_TRACE` let a call through, or leave it to a tracer that a clone does not have. */
const allow = 0x7fff0000;
const log = 0x7ffc0000;
const actionMask = 0xffff0000;
const instructionsMax = 4096;

/**
 * Calls that Docker's default profile denies to a container with byom's capabilities, whatever its version (moby:
 * profiles/seccomp/default_linux.go): keys, modules, mounts, other processes' files, new namespaces, the host's clock.
 * x86-64 numbers, then those of arm64.
 */
const deniedCalls: readonly (readonly [name: string, x64: number, arm64: number])[] = [
  ["add_key", 248, 217],
  ["bpf", 321, 280],
  ["delete_module", 176, 106],
  ["finit_module", 313, 273],
  ["init_module", 175, 105],
  ["kexec_load", 246, 104],
  ["mount", 165, 40],
  ["open_by_handle_at", 304, 265],
  ["perf_event_open", 298, 241],
  ["pivot_root", 155, 41],
  ["reboot", 169, 142],
  ["setns", 308, 268],
  ["settimeofday", 164, 170],
  ["swapon", 167, 224],
  ["umount2", 166, 39],
  ["unshare", 272, 97],
  ["userfaultfd", 323, 282],
];

/** `clone` is allowed for threads and processes, not with a new user namespace (CLONE_NEWUSER). */
const cloneNumbers = { x64: 56, arm64: 220 } as const;
const newUserNamespace = 0x10000000;

/**
 * That the chain of filters of a thread denies what the engine's default does. The kernel runs every filter of a chain
 * and takes the strictest answer (seccomp(2)), so one that denies is enough for each call.
 */
export function assertFilters(input: {
  readonly filters: readonly Message[];
  /** Index of the thread's newest filter. */
  readonly index: number;
  readonly what: string;
  readonly architecture?: keyof typeof architectures | undefined;
}): void {
  const { filters, what } = input;
  const name = input.architecture ?? (process.arch === "arm64" ? "arm64" : "x64");
  const chain = chainOf(filters, input.index, what).map((filter) =>
    parseProgram(filter.bytes(1) ?? new Uint8Array(), what),
  );
  const architecture = architectures[name];
  const denies = (call: SystemCall): boolean => chain.some((program) => isDenied(program, call));
  for (const [callName, x64, arm64] of deniedCalls) {
    const number = name === "x64" ? x64 : arm64;
    if (!denies({ number, architecture, arguments: [0, 0, 0, 0, 0, 0] })) {
      refuse(`${what} would run under a seccomp filter that allows ${callName}`);
    }
  }
  const flags = [newUserNamespace, 0, 0, 0, 0, 0];
  if (!denies({ number: cloneNumbers[name], architecture, arguments: flags })) {
    refuse(`${what} would run under a seccomp filter that allows new user namespaces`);
  }
}

/** Whether every filter of the chain is set for all threads of its process at once. */
export function isSpread(filters: readonly Message[], index: number): boolean {
  return chainOf(filters, index, "a thread").every((filter) => ((filter.uint32(3) ?? 0) & 1) !== 0);
}

function chainOf(filters: readonly Message[], index: number, what: string): readonly Message[] {
  const chain: Message[] = [];
  for (let at: number | undefined = index; at !== undefined;) {
    const filter: Message | undefined = filters[at];
    if (filter === undefined || chain.length > filters.length) {
      return refuse(`${what} names a seccomp filter that is not there`);
    }
    chain.push(filter);
    at = filter.uint32(2);
  }
  return chain;
}

function parseProgram(bytes: Uint8Array, what: string): readonly Instruction[] {
  const view = Buffer.from(bytes);
  const count = view.length / 8;
  if (!Number.isInteger(count) || count === 0 || count > instructionsMax) {
    refuse(`${what} has a broken seccomp filter`);
  }
  return Array.from({ length: count }, (_, at) => ({
    code: view.readUInt16LE(at * 8),
    ifTrue: view.readUInt8(at * 8 + 2),
    ifFalse: view.readUInt8(at * 8 + 3),
    k: view.readUInt32LE(at * 8 + 4),
  }));
}

function isDenied(program: readonly Instruction[], call: SystemCall): boolean {
  const action = (run(program, call) & actionMask) >>> 0;
  return action !== allow && action !== log;
}

/** What a filter answers. An instruction that the kernel would not take ends like ALLOW: it denies nothing. */
export function run(program: readonly Instruction[], call: SystemCall): number {
  const memory = new Uint32Array(16);
  let accumulator = 0;
  let index = 0;
  for (let at = 0; at < program.length; at += 1) {
    const { code, ifTrue, ifFalse, k } = program[at] as Instruction;
    const operand = (code & 0x08) === 0 ? k : index;
    switch (code & 0x07) {
      case 0x00: // BPF_LD
        accumulator = load(code, k, memory, call);
        break;
      case 0x01: // BPF_LDX
        index = load(code, k, memory, call);
        break;
      case 0x02: // BPF_ST
        memory[k & 15] = accumulator;
        break;
      case 0x03: // BPF_STX
        memory[k & 15] = index;
        break;
      case 0x04: // BPF_ALU
        accumulator = compute(code & 0xf0, accumulator, operand);
        break;
      case 0x05: // BPF_JMP, forward only
        at += jump(code & 0xf0, accumulator, operand)
          ? (code & 0xf0) === 0
            ? k
            : ifTrue
          : ifFalse;
        break;
      case 0x06: // BPF_RET, of k or of the accumulator
        return (code & 0x18) === 0x10 ? accumulator : k;
      default: // BPF_MISC
        if ((code & 0xf8) === 0) index = accumulator;
        else accumulator = index;
    }
  }
  return allow;
}

function load(code: number, k: number, memory: Uint32Array, call: SystemCall): number {
  switch (code & 0xe0) {
    case 0x00: // BPF_IMM
      return k;
    case 0x60: // BPF_MEM
      return memory[k & 15] ?? 0;
    case 0x80: // BPF_LEN: the size of seccomp_data
      return 64;
    default: // BPF_ABS
      return word(call, k);
  }
}

function word(call: SystemCall, offset: number): number {
  if (offset === 0) return call.number;
  if (offset === 4) return call.architecture;
  const isLowHalf = offset >= 16 && (offset - 16) % 8 === 0;
  return isLowHalf ? (call.arguments[(offset - 16) / 8] ?? 0) : 0;
}

function jump(operation: number, accumulator: number, operand: number): boolean {
  switch (operation) {
    case 0x10:
      return accumulator === operand;
    case 0x20:
      return accumulator > operand;
    case 0x30:
      return accumulator >= operand;
    case 0x40:
      return (accumulator & operand) !== 0;
    default: // BPF_JA
      return true;
  }
}

function compute(operation: number, a: number, b: number): number {
  switch (operation) {
    case 0x00:
      return (a + b) >>> 0;
    case 0x10:
      return (a - b) >>> 0;
    case 0x20:
      return Math.imul(a, b) >>> 0;
    case 0x30:
      return b === 0 ? 0 : Math.floor(a / b);
    case 0x40:
      return (a | b) >>> 0;
    case 0x50:
      return (a & b) >>> 0;
    case 0x60:
      return (a << (b & 31)) >>> 0;
    case 0x70:
      return a >>> (b & 31);
    case 0x80:
      return -a >>> 0;
    default: // BPF_XOR
      return (a ^ b) >>> 0;
  }
}
