/** What a snapshot holds, counted at its capture, for `byom snapshot inspect`. Bytes unless named otherwise. */
export interface SnapshotFacts {
  /** Page images: memory that every clone gets a copy of. */
  readonly pageBytes: number;
  /** Anonymous memory of all processes at the capture. */
  readonly anonymousBytes: number;
  /** Resident memory that is mapped from files and unchanged: not in the snapshot, shared by clones. */
  readonly fileMappedBytes: number;
  /** The container's own file changes, as an archive. */
  readonly changedFilesBytes: number;
  readonly processes: readonly ProcessFacts[];
  /** What takes the most anonymous memory, largest first; at most ten. */
  readonly largestMappings: readonly { readonly name: string; readonly bytes: number }[];
  /** How long the container stood still, in milliseconds. */
  readonly frozenMs: number;
}

export interface ProcessFacts {
  /** As the container sees it. */
  readonly pid: number;
  readonly commandLine: string;
  readonly anonymousBytes: number;
  readonly fileMappedBytes: number;
  readonly openFiles: number;
  readonly sockets: number;
  readonly threads: number;
}
