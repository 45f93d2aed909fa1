/** With which pages a restore fills memory: the host's transparent huge pages of 2 MiB, or small ones of 4 KiB. */
export type PageSize = "huge" | "small";

/** Below this the change of the host's setting costs as much as it saves. */
const hugePagesFromBytes = 512 * 2 ** 20;
/** Small pages as they were measured on a virtual machine; taken until this host has shown its own rate. */
const smallBytesPerMsUsual = 1.4e6;

/**
 * Chooses by what restores on this host took. Huge pages are usually several times faster, but a virtual machine whose
 * free memory goes back to its host gets just the large free blocks back slowly.
 */
export class PageSizeChoice {
  readonly #isAllowed: boolean;
  readonly #bytesPerMs = new Map<PageSize, number>();

  /** @param isAllowed False where the operator leaves the host's huge pages alone. */
  constructor(isAllowed = true) {
    this.#isAllowed = isAllowed;
  }

  choose(bytes: number): PageSize {
    if (!this.#isAllowed || bytes < hugePagesFromBytes) return "small";
    const huge = this.#bytesPerMs.get("huge");
    if (huge === undefined) return "huge";
    return huge >= (this.#bytesPerMs.get("small") ?? smallBytesPerMsUsual) ? "huge" : "small";
  }

  /** What a restore took; the last one counts, since a host changes. */
  record(pages: PageSize, fill: { readonly bytes: number; readonly ms: number }): void {
    if (fill.ms > 0) this.#bytesPerMs.set(pages, fill.bytes / fill.ms);
  }
}
