import { range, type Spread, spread } from '../spread.ts';
import type { Measured } from './measure.ts';
import type { Side } from './side.ts';

/** All rounds of one side. */
export interface SideResult {
  side: Pick<Side, 'name' | 'what' | 'caveat'>;
  rounds: Measured[];
}

export interface Summary {
  name: string;
  what: string;
  caveat?: string;
  /** Median, least and most of the rounds. */
  recordsPerSecond: Spread;
  cpuSecondsPerMillion: Spread;
  /** Of a store in a process of its own. */
  storeCpuSecondsPerMillion?: Spread;
  peakMiB: Spread;
}

export function summarise(results: readonly SideResult[], records: number): Summary[] {
  const perMillion = (seconds: number[]) => spread(seconds.map((value) => (value * 1e6) / records));
  return results.map(({ side: { name, what, caveat }, rounds }) => ({
    name,
    what,
    ...(caveat !== undefined && { caveat }),
    recordsPerSecond: spread(rounds.map(({ seconds }) => records / seconds)),
    cpuSecondsPerMillion: perMillion(rounds.map(({ cpuSeconds }) => cpuSeconds)),
    ...(rounds.some(({ storeCpuSeconds }) => storeCpuSeconds !== undefined) && {
      storeCpuSecondsPerMillion: perMillion(rounds.map(({ storeCpuSeconds = 0 }) => storeCpuSeconds)),
    }),
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

/** A side that was asked for and could not run. */
export interface Skipped {
  name: string;
  reason: string;
}

/** The table, with what its figures leave out below it. */
export function markdown(summaries: readonly Summary[], skipped: readonly Skipped[] = []): string {
  const lines = summaries.map(
    ({ name, what, recordsPerSecond, cpuSecondsPerMillion, storeCpuSecondsPerMillion: store, peakMiB }) =>
      `| ${name} | ${what} | ${range(recordsPerSecond, 0)} | ${range(cpuSecondsPerMillion, 2)} | ` +
      `${store === undefined ? '' : range(store, 2)} | ${range(peakMiB, 0)} |`,
  );
  return [
    '| side | what it does | records/s | CPU s per million records | CPU s of its store, apart | peak memory, MiB |',
    '|---|---|--:|--:|--:|--:|',
    ...lines,
    '',
    "CPU time is that of a side's process, its threads and children, with a store inside of it; the broker's is left out. Where the",
    'store is a process of its own, its CPU time is in the next column, and its memory is left out.',
    ...summaries.flatMap(({ name, caveat }) => (caveat === undefined ? [] : ['', `${name}: ${caveat}.`])),
    ...skipped.flatMap(({ name, reason }) => ['', `${name} was skipped: ${reason}.`]),
  ].join('\n');
}
