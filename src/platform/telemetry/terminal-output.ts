/** A column of a printed table: its title, the cell's text, and whether it is aligned to the right (numbers). */
export interface TableColumn<T> {
  title: string;
  cell: (row: T) => string;
  right?: boolean;
}

/** A plain text table, for people. */
export function formatTable<T>(rows: readonly T[], columns: readonly TableColumn<T>[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((line) => line[at].length)));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, at) => (columns[at].right === true ? text.padStart(widths[at]) : text.padEnd(widths[at])))
      .join('  ')
      .trimEnd();
  return [
    line(columns.map(({ title }) => title)),
    line(widths.map((width) => '─'.repeat(width))),
    ...cells.map(line),
  ].join('\n');
}

/** A count with its noun, in the singular for one: `1 record`, `0 records`, `1 batch`, `2 batches`. */
export function counted(count: number | bigint, noun: string, plural = `${noun}s`): string {
  return `${grouped(count)} ${BigInt(count) === 1n ? noun : plural}`;
}

/** Groups of three digits, for people. */
export function grouped(value: number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
}

export interface ProgressState {
  /** What is being done, in a word or two. */
  label: string;
  records: number;
  /** 0 to 1; null where the end is not known. */
  fraction: number | null;
  /** Anything more: a lag, a file's name. */
  note?: string;
}

type Log = (fields: Record<string, unknown>, message: string) => void;

const TERMINAL_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 5000;

/**
 * Shows the progress of work: one line that is written over on a terminal, a log line every five seconds elsewhere.
 * `report` may be called as often as one likes.
 */
export class Progress {
  readonly #terminal: NodeJS.WriteStream | null;
  readonly #log: Log;
  readonly #startedMs = performance.now();
  #shownMs = Number.NEGATIVE_INFINITY;
  #isLineOpen = false;

  constructor(stream: NodeJS.WriteStream, log: Log) {
    this.#terminal = stream.isTTY ? stream : null;
    this.#log = log;
  }

  report(state: ProgressState): void {
    const nowMs = performance.now();
    const intervalMs = this.#terminal === null ? LOG_INTERVAL_MS : TERMINAL_INTERVAL_MS;
    if (nowMs - this.#shownMs < intervalMs) return;
    const isFirst = this.#shownMs === Number.NEGATIVE_INFINITY;
    this.#shownMs = nowMs;
    const seconds = (nowMs - this.#startedMs) / 1000;
    const recordsPerSecond = Math.round(state.records / Math.max(seconds, 0.001));
    const percent = state.fraction === null ? null : Math.floor(state.fraction * 100);
    if (this.#terminal === null) {
      // Short work ends before its first line is due.
      if (!isFirst) this.#log({ records: state.records, recordsPerSecond, percent, note: state.note }, state.label);
      return;
    }
    const parts = [`${state.label}: ${state.records} records`, `${recordsPerSecond}/s`];
    if (percent !== null) parts.push(`${percent} %`);
    if (state.note !== undefined) parts.push(state.note);
    this.#terminal.write(`\r\x1b[2K${parts.join(', ').slice(0, Math.max(20, this.#terminal.columns - 1))}`);
    this.#isLineOpen = true;
  }

  /** Clears the line, so that what follows begins on one of its own. */
  end(): void {
    if (this.#isLineOpen) this.#terminal?.write('\r\x1b[2K');
    this.#isLineOpen = false;
  }
}
