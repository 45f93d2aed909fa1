/** With which pages a restore fills memory: the host's transparent huge pages of 2 MiB, or small ones of 4 KiB. */
export type PageSize = "huge" | "small";

/** Below this the change of the host's setting costs as much as it saves. */
const hugePagesFromBytes = 512 * 2 ** 20;
/** Small pages as they were measured on a virtual machine; taken until this host has shown its own rate. */
const smallBytesPerMsUsual = 1.4e6;

/**
 * Chooses by what restores on this host took. Huge pages are usually several times faster, but a virtual machine whose
 * free memory goes back to its host gets just the large free blocks back slowly.
 *
 * There is no third choice, `criu lazy-pages`, which lets the processes run first and fills their memory as they touch it:
 * every restored instance replays its example before it takes traffic, so the faults come before the first caller all the
 * same. 741 MB on a busy machine of two cores ran after 0.12–0.18 s instead of 1.8–6.8 s, but had been touched whole after
 * 2.7, 3.7 and 8.8 s instead of 2.1, 1.8 and 7.1 s. And its daemon, one for each clone, would take the clone's memory with
 * it if it died.
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
