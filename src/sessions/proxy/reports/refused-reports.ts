import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { UsageReport } from '../../protocol/dispatch-messages.ts';
import { SpoolError } from './spool-error.ts';

/** A report that the dispatch server refuses, and why. */
export interface RefusedReport {
  reason: string;
  message: string;
  report: UsageReport;
}

/**
 * Keeps the reports that the dispatch server refuses, a line of JSON each, for an operator: nothing that was counted is lost. After a
 * crash a report may be there twice, with the same id.
 */
export class RefusedReports {
  readonly #path: string;
  readonly #nowMs: () => number;
  readonly #byReason = new Map<string, number>();

  constructor(path: string, nowMs: () => number) {
    this.#path = path;
    this.#nowMs = nowMs;
  }

  get path(): string {
    return this.#path;
  }

  /** How many by reason, since the start. */
  get byReason(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#byReason);
  }

  /** They are on the disk when it returns. Throws a SpoolError. */
  keep(refused: readonly RefusedReport[]): void {
    if (refused.length === 0) return;
    const refusedAtMs = this.#nowMs();
    const lines = refused.map((each) => `${JSON.stringify({ refusedAtMs, ...each })}\n`);
    try {
      const descriptor = openSync(this.#path, 'a', 0o600);
      try {
        writeSync(descriptor, lines.join(''));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    } catch (cause) {
      throw new SpoolError('spool_unwritable', `${this.#path}: ${(cause as Error).message}`, cause);
    }
    for (const { reason } of refused) this.#byReason.set(reason, (this.#byReason.get(reason) ?? 0) + 1);
  }
}
