import { figure } from './results.ts';

export interface Spread {
  median: number;
  least: number;
  most: number;
}

/** Of all rounds. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, least: sorted[0], most: sorted[sorted.length - 1] };
}

/** As a table shows it. */
export function range({ median, least, most }: Spread, digits = 0): string {
  return `${figure(median, digits)} (${figure(least, digits)} to ${figure(most, digits)})`;
}
