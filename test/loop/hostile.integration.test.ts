import { expect, test } from 'vitest';
import { runHostile } from './hostile-run.ts';

test('a minute of hostile traffic takes neither memory nor the service, and not an octet of a terminal', async () => {
  const lines: string[] = [];
  const faults = await runHostile({ minutes: 1, seed: 20_261_128, print: (line) => lines.push(line) });
  expect(faults, lines.join('\n')).toEqual([]);
}, 300_000);
