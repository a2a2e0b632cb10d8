import { figure } from '../results.ts';

export interface MicroFigure {
  group: string;
  name: string;
  /** Median of the runs. */
  nanosPerRecord: number;
  least: number;
}

/** A table for each group, each line with its ratio to the group's first. */
export function microTable(figures: readonly MicroFigure[], about: string): string {
  const groups = [...new Set(figures.map(({ group }) => group))];
  const tables = groups.map((group) => {
    const own = figures.filter((one) => one.group === group);
    const lines = own.map(
      ({ name, nanosPerRecord, least }) =>
        `| ${name} | ${figure(nanosPerRecord)} | ${figure(least)} | ${figure(nanosPerRecord / own[0].nanosPerRecord, 2)} |`,
    );
    return [
      `## ${group}`,
      '',
      '| | ns a record, median | fastest | to the first |',
      '|---|--:|--:|--:|',
      ...lines,
    ].join('\n');
  });
  return [`# Steps of the engine, one by one`, `${about}.`, ...tables].join('\n\n');
}
