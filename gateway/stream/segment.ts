import { open, rm, type FileHandle } from "node:fs/promises";

/** The part of an event log that left memory: one append-only file, read by offset. */
export interface Segment {
  /** Writes at the end; resolves with the offset at which the bytes begin. */
  append(bytes: Buffer): Promise<number>;
  read(options: { offset: number; lengthBytes: number }): Promise<Buffer>;
  /** Closes and removes the file; waits for reads and writes under way. */
  remove(): Promise<void>;
}

/** A segment whose file is made by its first write, so that a short prediction costs no file. */
export function createSegment(path: string): Segment {
  let handle: Promise<FileHandle> | undefined;
  let sizeBytes = 0;
  const opened = (): Promise<FileHandle> => (handle ??= open(path, "w+", 0o600));
  return {
    async append(bytes) {
      const file = await opened();
      const offset = sizeBytes;
      sizeBytes += bytes.length;
      await file.write(bytes, 0, bytes.length, offset);
      return offset;
    },
    async read({ offset, lengthBytes }) {
      const file = await opened();
      const buffer = Buffer.allocUnsafe(lengthBytes);
      const { bytesRead } = await file.read(buffer, 0, lengthBytes, offset);
      if (bytesRead !== lengthBytes) {
        throw new Error(`${path} ends after ${bytesRead} of ${lengthBytes} bytes at ${offset}`);
      }
      return buffer;
    },
    async remove() {
      if (handle === undefined) return;
      const file = await handle.catch(() => undefined);
      await file?.close();
      await rm(path, { force: true });
    },
  };
}
