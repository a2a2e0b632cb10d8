import { expect, test } from 'vitest';
import { chart } from './chart.ts';
import { markdown, ratios, summarise } from './report.ts';

const rounds = (...seconds: number[]) =>
  seconds.map((value) => ({ seconds: value, cpuSeconds: 1, peakOctets: 1, totals: { records: 1 } }));

const RESULTS = [
  { side: { name: 'zerorate', what: 'the engine' }, rounds: rounds(1, 2, 4) },
  {
    side: { name: 'go', what: 'the peer', caveat: 'not exactly once' },
    rounds: rounds(2, 4, 8).map((round) => ({ ...round, cpuSeconds: 2, storeCpuSeconds: 0.5 })),
  },
];

test('a ratio is taken within a round: who needs half the time is twice as fast', () => {
  const results = [
    { side: { name: 'ours', what: '' }, rounds: rounds(1, 10) },
    { side: { name: 'theirs', what: '' }, rounds: rounds(2, 20) },
  ];
  expect(ratios(results, 'ours')).toEqual([{ to: 'theirs', ratio: { median: 2, least: 2, most: 2 } }]);
});

test("CPU time is for a million records, and a store's of its own is apart", () => {
  const [engine, peer] = summarise(RESULTS, 500_000);
  expect(engine.cpuSecondsPerMillion.median).toBe(2);
  expect(engine).not.toHaveProperty('storeCpuSecondsPerMillion');
  expect(peer.cpuSecondsPerMillion.median).toBe(4);
  expect(peer.storeCpuSecondsPerMillion?.median).toBe(1);
});

test('the table has a row for each side, and says what the figures leave out', () => {
  const lines = markdown(summarise(RESULTS, 1e6), [{ name: 'streams', reason: 'no JDK' }]).split('\n');
  const cellsOf = (name: string) =>
    lines
      .find((line) => line.startsWith(`| ${name} |`))
      ?.split('|')
      .slice(1, -1);
  const columns = lines[0].split('|').length;
  expect(lines.filter((line) => line.startsWith('|')).map((line) => line.split('|').length)).toEqual(
    Array(4).fill(columns),
  );
  expect(cellsOf('zerorate')?.[4].trim()).toBe('');
  expect(cellsOf('go')?.[3]).toContain('2.00 (2.00 to 2.00)');
  expect(cellsOf('go')?.[4]).toContain('0.50 (0.50 to 0.50)');
  expect(lines).toContain('go: not exactly once.');
  expect(lines).toContain('streams was skipped: no JDK.');
});

test('the chart has the CPU time beside the rate', () => {
  const picture = chart(summarise(RESULTS, 1e6), 'caption');
  expect(picture).toContain('>500,000 · 1.00 CPU s/million</text>');
  expect(picture).toContain('>250,000 · 2.00 + 0.50 CPU s/million</text>');
});
