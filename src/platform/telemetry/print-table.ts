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
