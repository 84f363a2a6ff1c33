/** A row of bench:webgl. */

/** Queues the work once; in rows that are `fresh` it resolves when the result is there. */
export type Run = (turn: number) => void | Promise<void>;

export interface Row {
  readonly name: string;
  /** Our time over theirs, at most. */
  readonly goal: number;
  readonly ours: () => Run | Promise<Run>;
  readonly theirs: () => Run | Promise<Run>;
  /** One run a turn. */
  readonly long?: true;
  /** Seconds a run: three turns at most, one before them. */
  readonly slow?: true;
  /** Each run waits for its own result, the first as the others. */
  readonly fresh?: true;
}
