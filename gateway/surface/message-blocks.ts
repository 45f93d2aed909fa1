const startEvent = Buffer.from("event: content_block_start");
const deltaEvent = Buffer.from("event: content_block_delta");
const stopEvent = Buffer.from("event: content_block_stop");
const messageStart = Buffer.from("event: message_start");
const indexField = /"index"\s*:\s*(\d+)/;

/** Where Anthropic's stream of an answer stands. */
export interface BlockPlace {
  /** Of the last block that began; -1 before the first one. */
  readonly index: number;
  readonly isOpen: boolean;
}

/**
 * The content blocks of a message that several upstreams give one after the other: one message, its blocks counted
 * through. The first upstream's events go through untouched.
 */
export class MessageBlocks {
  #index = -1;
  #openIndex: number | undefined;
  #offset = 0;
  #isFirst = true;
  #mayContinue = false;

  get place(): BlockPlace {
    return { index: this.#index, isOpen: this.#openIndex !== undefined };
  }

  /** Another upstream takes over; what is open is closed, unless the text goes on in it. */
  turn(kind: "restart" | "handover"): string {
    this.#isFirst = false;
    this.#mayContinue = kind === "handover" && this.#openIndex !== undefined;
    const open = this.#openIndex;
    if (kind === "restart") this.#openIndex = undefined;
    this.#offset = this.#index + 1;
    if (kind === "handover" || open === undefined) return "";
    const stop = { type: "content_block_stop", index: open };
    return `event: content_block_stop\ndata: ${JSON.stringify(stop)}\n\n`;
  }

  /** An event as the caller is to get it; undefined for one that was said before. */
  pass(frame: Buffer): Buffer | undefined {
    if (!this.#isFirst && startsWith(frame, messageStart)) return undefined;
    const isStart = startsWith(frame, startEvent);
    const isStop = startsWith(frame, stopEvent);
    if (this.#isFirst) {
      if (isStart) this.#open(indexOf(frame));
      else if (isStop) this.#openIndex = undefined;
      return frame;
    }
    if (!isStart && !isStop && !startsWith(frame, deltaEvent)) return frame;
    const own = indexOf(frame);
    if (isStart && this.#mayContinue && /"type"\s*:\s*"text"/.test(frame.toString("utf8"))) {
      // The text goes on in the block that is open.
      this.#mayContinue = false;
      this.#offset = this.#index - own;
      return undefined;
    }
    const index = own + this.#offset;
    if (isStart) this.#open(index);
    else if (isStop) this.#openIndex = undefined;
    return Buffer.from(frame.toString("utf8").replace(indexField, `"index":${index}`));
  }

  /** Events that the gateway wrote itself, with their own count. */
  note(frames: string): void {
    for (const frame of frames.split("\n\n")) {
      const bytes = Buffer.from(frame);
      if (startsWith(bytes, startEvent)) this.#open(indexOf(bytes));
      else if (startsWith(bytes, stopEvent)) this.#openIndex = undefined;
    }
  }

  #open(index: number): void {
    this.#index = Math.max(this.#index, index);
    this.#openIndex = index;
  }
}

function startsWith(frame: Buffer, prefix: Buffer): boolean {
  return frame.subarray(0, prefix.length).equals(prefix);
}

function indexOf(frame: Buffer): number {
  return Number(indexField.exec(frame.toString("utf8"))?.[1] ?? 0);
}
