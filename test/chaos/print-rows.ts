import type { FaultRow } from './run-faults.ts';

const COLUMNS: readonly { title: string; width: number; cell: (row: FaultRow) => string; right?: boolean }[] = [
  { title: '#', width: 4, cell: ({ number }) => String(number), right: true },
  { title: 'at s', width: 6, cell: ({ atS }) => atS.toFixed(1), right: true },
  { title: 'engine', width: 8, cell: ({ engine }) => engine },
  { title: 'fault', width: 34, cell: ({ fault }) => fault },
  { title: 'times', width: 12, cell: ({ times }) => times },
  { title: 'batches', width: 7, cell: ({ batches }) => String(batches), right: true },
  { title: 'fenced', width: 6, cell: ({ fenced }) => String(fenced), right: true },
  { title: 'ended', width: 5, cell: ({ died }) => String(died), right: true },
  { title: 'invariants', width: 10, cell: ({ broken }) => (broken.length === 0 ? 'hold' : 'BROKEN') },
];

/** Prints the table's head; rows follow one at a time, as the run progresses. */
export function printHead(): void {
  printLine(COLUMNS.map(({ title }) => title));
  printLine(COLUMNS.map(({ width }) => '─'.repeat(width)));
}

export function printRow(row: FaultRow): void {
  printLine(COLUMNS.map(({ cell }) => cell(row)));
  for (const text of row.broken) process.stdout.write(`      ${text}\n`);
}

function printLine(cells: readonly string[]): void {
  const padded = cells.map((cell, at) => {
    const { width, right } = COLUMNS[at];
    return right === true ? cell.padStart(width) : cell.padEnd(width);
  });
  process.stdout.write(`${padded.join('  ').trimEnd()}\n`);
}
