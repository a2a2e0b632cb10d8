import assert from 'node:assert/strict';
import { type B, bench, group, type stats } from 'mitata';

/** What a benchmark works with, made when its turn comes and forgotten after it. */
export interface Prepared {
  /** That one sample works on. */
  records: number;
  /** Makes the next sample's work ready. Its time does not count. */
  before?: () => void | Promise<void>;
  /** Works on all records of the benchmark. */
  work: () => unknown;
  after?: () => Promise<void>;
}

/** A benchmark's time for one record, in nanoseconds, over its samples. */
export interface Measured {
  group: string;
  name: string;
  records: number;
  samples: number;
  median: number;
  quarter: number;
  threeQuarters: number;
}

/** Of a group and its benchmarks, in the order in which they are to run. */
export interface BenchmarkGroup {
  name: string;
  benchmarks: { name: string; prepare: () => Prepared | Promise<Prepared> }[];
}

type Trial = Awaited<ReturnType<B['run']>>;

/** Hands the groups to mitata. What is returned takes the place of each trial: with the times of one record. */
export function register(groups: readonly BenchmarkGroup[], onMeasured: (measured: Measured) => void) {
  const groupOf = new Map<string, string>();
  const recordsOf = new Map<string, number>();
  for (const { name: groupName, benchmarks } of groups) {
    group(groupName, () => {
      for (const { name, prepare } of benchmarks) {
        assert.ok(!groupOf.has(name), `two benchmarks are named ${name}`);
        groupOf.set(name, groupName);
        bench(
          name,
          timed(prepare, (records) => recordsOf.set(name, records)),
        );
      }
    });
  }
  return (trial: Trial): Trial => {
    const name = trial.alias;
    for (const { stats, error } of trial.runs) {
      if (stats === undefined) throw error;
      const records = recordsOf.get(name) ?? 1;
      perRecord(stats, records);
      const { p50: median, p25: quarter, p75: threeQuarters, samples } = stats;
      onMeasured({
        group: groupOf.get(name) ?? '',
        name,
        records,
        samples: samples.length,
        median,
        quarter,
        threeQuarters,
      });
    }
    return trial;
  };
}

/** mitata takes a `manual` function's own word for the time that it took; its types do not say so. */
function timed(prepare: () => Prepared | Promise<Prepared>, onPrepared: (records: number) => void) {
  return async function* () {
    const { records, before, work, after } = await prepare();
    onPrepared(records);
    const manual = async () => {
      await before?.();
      const begun = process.hrtime.bigint();
      const worked = work();
      // To wait for no promise would cost a turn of the event loop.
      if (worked instanceof Promise) await worked;
      return Number(process.hrtime.bigint() - begun);
    };
    yield { manual } as unknown as () => unknown;
    await after?.();
  };
}

function perRecord(stats: stats, records: number): void {
  for (const key of ['avg', 'min', 'max', 'p25', 'p50', 'p75', 'p99', 'p999'] as const) stats[key] /= records;
  stats.samples = stats.samples.map((sample) => sample / records);
  // Of what was allocated, most is the making ready.
  delete stats.heap;
}
