import { lstat } from "node:fs/promises";
import { join } from "node:path";

import { readImage } from "./criu-image.ts";
import { refuse } from "./refusal.ts";

/** Flags of a pagemap entry (CRIU: criu/include/pagemap.h). */
const inParent = 1;
const present = 4;
/** Sizes of pages of the architectures that CRIU knows. */
const pageSizes = [4096, 16_384, 65_536];

/**
 * That every page image has just the pages that its map names: one that was cut off, lengthened or exchanged is found
 * before a process gets its bytes. Pages in a parent image, which would lie outside the directory, are refused.
 */
export async function verifyPages(images: string, names: readonly string[]): Promise<void> {
  const left = new Set(names.filter((name) => name.startsWith("pages-")));
  for (const name of names.filter((candidate) => candidate.startsWith("pagemap-"))) {
    const [head, ...entries] = await readImage(images, name, "pagemap");
    if (head === undefined) return refuse(`images/${name} is empty`);
    const pagesName = `pages-${head.uint32(1) ?? 0}.img`;
    let pages = 0;
    for (const entry of entries) {
      const flags = entry.uint32(4) ?? present;
      if ((flags & inParent) !== 0 || (entry.uint32(3) ?? 0) !== 0) {
        refuse(`images/${name} takes pages from another image`);
      }
      if ((flags & present) !== 0) pages += Number(entry.uint64(5) ?? entry.uint64(2) ?? 0n);
    }
    if (!left.delete(pagesName)) {
      if (pages > 0) refuse(`images/${pagesName} is missing or used twice`);
      continue;
    }
    const { size } = await lstat(join(images, pagesName));
    if (!pageSizes.some((pageSize) => pages * pageSize === size)) {
      refuse(`images/${pagesName} has ${size} bytes, which is not the ${pages} pages of its map`);
    }
  }
  const [unused] = left;
  if (unused !== undefined) refuse(`images/${unused} belongs to no map of memory`);
}
