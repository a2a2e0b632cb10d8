import type { Spread } from '../spread.ts';

/** One question's answers. */
export interface Answered {
  name: string;
  /** The plan reads the projection. */
  usesTotals: boolean;
  rows: number;
  seconds: Spread;
  /** The same without projections. */
  secondsFromRows: Spread;
}

export function markdown(answers: readonly Answered[]): string {
  return [
    '| question | reads | result rows | seconds | seconds without the projection |',
    '|---|---|--:|--:|--:|',
    ...answers.map(
      ({ name, usesTotals, rows, seconds, secondsFromRows }) =>
        `| ${name} | ${usesTotals ? 'projection' : 'rows'} | ${rows} | ${range(seconds)} | ${range(secondsFromRows)} |`,
    ),
  ].join('\n');
}

function range({ median, least, most }: Spread): string {
  return `${median.toFixed(3)} (${least.toFixed(3)} to ${most.toFixed(3)})`;
}
