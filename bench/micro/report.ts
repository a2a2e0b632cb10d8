import type { Measured } from './benchmark.ts';

export interface Compared extends Measured {
  /** How many times as long as the first of its group it took, by the medians. */
  toFirst: number;
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  node: string;
}

export function compare(results: readonly Measured[]): Compared[] {
  const firsts = new Map<string, number>();
  return results.map((result) => {
    const first = firsts.get(result.group) ?? result.median;
    firsts.set(result.group, first);
    return { ...result, toFirst: result.median / first };
  });
}

export function markdown(compared: readonly Compared[], machine: Machine, seed: number): string {
  const groups = [...new Set(compared.map(({ group }) => group))];
  return [
    '# Micro-benchmarks',
    '',
    `${machine.cores} x ${machine.cpu}, ${machine.memoryGiB} GiB, Node ${machine.node}; seed ${seed}. Times are of one record:`,
    'the median of the samples, and from their first quarter to their third.',
    ...groups.flatMap((group) => section(group, compared)),
    '',
  ].join('\n');
}

function section(group: string, compared: readonly Compared[]): string[] {
  const rows = compared
    .filter((result) => result.group === group)
    .map(
      ({ name, median, quarter, threeQuarters, toFirst, records, samples }) =>
        `| ${name} | ${ns(median)} (${ns(quarter)} to ${ns(threeQuarters)}) | ${toFirst.toFixed(2)} | ${samples} x ${records.toLocaleString('en-US')} |`,
    );
  return ['', `## ${group}`, '', '| | ns per record | to the first | samples |', '|---|--:|--:|--:|', ...rows];
}

/** Three digits are enough to distinguish runs of one machine. */
function ns(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}
