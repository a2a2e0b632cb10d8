import { range, type Spread, spread } from '../spread.ts';
import type { Measured } from './measure.ts';
import type { Side } from './side.ts';

/** All rounds of one side. */
export interface SideResult {
  side: Pick<Side, 'name' | 'what'>;
  rounds: Measured[];
}

export interface Summary {
  name: string;
  what: string;
  /** Median, least and most of the rounds. */
  recordsPerSecond: Spread;
  cpuSecondsPerMillion: Spread;
  peakMiB: Spread;
}

export function summarise(results: readonly SideResult[], records: number): Summary[] {
  return results.map(({ side, rounds }) => ({
    name: side.name,
    what: side.what,
    recordsPerSecond: spread(rounds.map(({ seconds }) => records / seconds)),
    cpuSecondsPerMillion: spread(rounds.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / records)),
    peakMiB: spread(rounds.map(({ peakOctets }) => peakOctets / 2 ** 20)),
  }));
}

/** How many times as fast as each other side `name` is: the median of the ratios of each round, for rounds share a machine's moods. */
export function ratios(results: readonly SideResult[], name: string): { to: string; ratio: Spread }[] {
  const own = results.find(({ side }) => side.name === name);
  if (own === undefined) return [];
  return results
    .filter((other) => other !== own)
    .map(({ side, rounds }) => ({
      to: side.name,
      ratio: spread(rounds.map(({ seconds }, round) => seconds / own.rounds[round].seconds)),
    }));
}

export function markdown(summaries: readonly Summary[]): string {
  const lines = summaries.map(
    ({ name, what, recordsPerSecond, cpuSecondsPerMillion, peakMiB }) =>
      `| ${name} | ${what} | ${range(recordsPerSecond, 0)} | ${range(cpuSecondsPerMillion, 2)} | ${range(peakMiB, 0)} |`,
  );
  return [
    '| side | what it does | records/s | CPU s per million records | peak memory, MiB |',
    '|---|---|--:|--:|--:|',
    ...lines,
  ].join('\n');
}
