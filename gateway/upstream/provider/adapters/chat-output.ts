import type { ChatChunk } from "../../../chat/chunk.ts";
import type { FinishReason } from "../../../chat/reader.ts";
import type { ProviderCall, ProviderResult } from "../adapter.ts";

/** The answer of a chat as it comes: each piece goes out at once and is kept for the whole output. */
export class ChatOutput {
  readonly #emit: (chunk: ChatChunk) => void;
  readonly #pieces: ChatChunk[] = [];
  /** Counts and whatever else is measured; later ones replace earlier ones. */
  readonly metrics: Record<string, unknown> = {};
  finishReason: FinishReason | undefined;

  constructor(call: ProviderCall) {
    this.#emit = call.emit;
  }

  text(text: string): void {
    if (text !== "") this.#push(text);
  }

  reasoning(text: string): void {
    if (text !== "") this.#push({ type: "reasoning", text });
  }

  /** The first piece of a call has its id and name. */
  toolCall(piece: {
    readonly index: number;
    readonly id?: string | undefined;
    readonly name?: string | undefined;
    readonly arguments?: string | undefined;
  }): void {
    const { index, id, name, arguments: json } = piece;
    this.#push({
      type: "tool_call",
      index,
      ...(id === undefined ? {} : { id }),
      ...(name === undefined ? {} : { name }),
      ...(json === undefined ? {} : { arguments: json }),
    });
  }

  /** Counts; what is no number is not counted. */
  count(metrics: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(metrics)) {
      if (typeof value === "number") this.metrics[name] = value;
    }
  }

  result(): ProviderResult {
    const finish = this.finishReason === undefined ? {} : { finish_reason: this.finishReason };
    return { output: this.#pieces, metrics: { ...this.metrics, ...finish } };
  }

  #push(piece: ChatChunk): void {
    this.#pieces.push(piece);
    this.#emit(piece);
  }
}
