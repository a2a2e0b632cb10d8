import { randomUUID } from 'node:crypto';
import { closeSync, fdatasync, openSync, readFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { UsageReport } from '../../protocol/dispatch-messages.ts';
import type { SessionEnding } from '../../protocol/refusal.ts';
import { SpoolError } from './spool-error.ts';
import { COUNTERS, contentOctetsOf } from './usage-counters.ts';

/** A slot: the counters, the time of the last octet, the length of the text, the text. Less than a sector's worth is rewritten to count. */
const SLOT_OCTETS = 1024;
const LAST_TIME = COUNTERS;
const COUNTED_OCTETS = (COUNTERS + 1) * Float64Array.BYTES_PER_ELEMENT;
const TEXT = COUNTED_OCTETS + 2;

/** With ids of this length a report fits its slot, whatever is escaped in it. */
export { MAX_ID_LENGTH } from '../../protocol/dispatch-messages.ts';

/** What a slot says of its report as text. Without a kind it is open: it counts. */
interface Label {
  reportId: string;
  sessionId: string;
  sequence: number;
  startTimeMs: number;
  kind?: UsageReport['kind'];
  endTimeMs?: number;
  ending?: SessionEnding;
}

/** A report in the spool. */
export interface SpooledReport {
  readonly slot: number;
  readonly octets: Buffer;
  /** Counts up as octets pass, by content type and direction, and has the time of the last octet behind them. */
  readonly counters: Float64Array;
  readonly label: Label;
}

/**
 * The reports that the dispatch server has not confirmed, in a file of slots. A report has its id from the moment that it
 * begins to count, and counts in its slot, so whatever ends the process, each octet is in one report. To count is one write into
 * the page cache: it outlives the process at once, and a power cut from the next `sync` on.
 */
export class UsageSpool {
  readonly #path: string;
  #descriptor = -1;
  #slots = 0;
  #free: number[] = [];
  #syncing: Promise<void> | null = null;
  #syncNext: Promise<void> | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Gives the reports that a process before has left, in the order of their sessions' sequences. Throws a SpoolError. */
  start(): SpooledReport[] {
    try {
      this.#descriptor = openSync(this.#path, 'a+');
      closeSync(this.#descriptor);
      this.#descriptor = openSync(this.#path, 'r+');
    } catch (cause) {
      throw new SpoolError('spool_unwritable', `${this.#path}: cannot be written (${(cause as Error).message})`, cause);
    }
    const file = readFileSync(this.#descriptor);
    this.#slots = Math.ceil(file.length / SLOT_OCTETS);
    const reports: SpooledReport[] = [];
    for (let slot = 0; slot < this.#slots; slot++) {
      const octets = Buffer.alloc(SLOT_OCTETS);
      file.copy(octets, 0, slot * SLOT_OCTETS);
      const label = this.#labelOf(octets, slot);
      if (label === null) this.#free.push(slot);
      else reports.push({ slot, octets, counters: countersOf(octets), label });
    }
    return reports.sort((a, b) => a.label.sequence - b.label.sequence);
  }

  /** Waits for what was written to be on the disk. */
  async stop(): Promise<void> {
    if (this.#descriptor < 0) return;
    await this.sync();
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  /** Begins a report that counts. */
  begin(sessionId: string, sequence: number, startTimeMs: number): SpooledReport {
    const octets = Buffer.alloc(SLOT_OCTETS);
    const label: Label = { reportId: randomUUID(), sessionId, sequence, startTimeMs };
    const report = { slot: this.#free.pop() ?? this.#slots++, octets, counters: countersOf(octets), label };
    report.counters[LAST_TIME] = startTimeMs;
    this.#write(report, SLOT_OCTETS);
    return report;
  }

  /** Writes the counters down. */
  count(report: SpooledReport, nowMs: number): void {
    report.counters[LAST_TIME] = nowMs;
    this.#write(report, COUNTED_OCTETS);
  }

  /** It counts no more. */
  seal(report: SpooledReport, how: { kind: UsageReport['kind']; endTimeMs: number; ending?: SessionEnding }): void {
    // A clock that was set back meanwhile must not make a report end before it starts.
    Object.assign(report.label, how, { endTimeMs: Math.max(how.endTimeMs, report.label.startTimeMs) });
    this.#write(report, SLOT_OCTETS);
  }

  /** The dispatch server has it. */
  remove({ slot }: SpooledReport): void {
    const octets = Buffer.alloc(SLOT_OCTETS);
    this.#put(octets, SLOT_OCTETS, slot);
    this.#free.push(slot);
  }

  /** Resolves when all that was written before is on the disk. */
  sync(): Promise<void> {
    if (this.#syncing === null) {
      this.#syncing = this.#syncOnce().finally(() => {
        this.#syncing = null;
      });
      return this.#syncing;
    }
    // The one under way may have begun before the last write.
    this.#syncNext ??= this.#syncing.then(() => {
      this.#syncNext = null;
      return this.sync();
    });
    return this.#syncNext;
  }

  async #syncOnce(): Promise<void> {
    try {
      await promisify(fdatasync)(this.#descriptor);
    } catch (cause) {
      throw new SpoolError('spool_unwritable', `${this.#path}: ${(cause as Error).message}`, cause);
    }
  }

  #labelOf(octets: Buffer, slot: number): Label | null {
    const length = octets.readUInt16LE(COUNTED_OCTETS);
    if (length === 0) return null;
    try {
      return JSON.parse(octets.toString('utf8', TEXT, TEXT + length));
    } catch (cause) {
      const where = `${this.#path}: slot ${slot} (octet ${slot * SLOT_OCTETS})`;
      throw new SpoolError(
        'spool_unreadable',
        `${where} holds no report; put the file aside, and report it by hand`,
        cause,
      );
    }
  }

  #write({ octets, label, slot }: SpooledReport, length: number): void {
    if (length > COUNTED_OCTETS) {
      const text = Buffer.from(JSON.stringify(label));
      if (TEXT + text.length > SLOT_OCTETS) throw new Error(`a report of ${text.length} octets fits no slot`);
      octets.writeUInt16LE(text.length, COUNTED_OCTETS);
      octets.fill(0, TEXT);
      text.copy(octets, TEXT);
    }
    this.#put(octets, length, slot);
  }

  #put(octets: Buffer, length: number, slot: number): void {
    try {
      writeSync(this.#descriptor, octets, 0, length, slot * SLOT_OCTETS);
    } catch (cause) {
      throw new SpoolError('spool_unwritable', `${this.#path}: ${(cause as Error).message}`, cause);
    }
  }
}

/** As the dispatch server takes it; the report has to be sealed. */
export function usageReportOf({ label, counters }: SpooledReport, proxyId: string): UsageReport {
  const { kind, endTimeMs, ending, ...rest } = label;
  if (kind === undefined || endTimeMs === undefined) throw new Error(`report ${label.reportId} still counts`);
  return { ...rest, proxyId, kind, endTimeMs, usage: contentOctetsOf(counters), ...(ending && { ending }) };
}

export function lastTimeMsOf({ counters }: SpooledReport): number {
  return counters[LAST_TIME];
}

function countersOf(octets: Buffer): Float64Array {
  return new Float64Array(octets.buffer, octets.byteOffset, COUNTERS + 1);
}
