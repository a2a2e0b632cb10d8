import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { clusterSettings, inTurn } from './server-cluster.ts';

test('quorums come one after the other, and reading asks for all of them', () => {
  expect(clusterSettings({ name: 'c', quorum: 'auto' })).toMatchObject({
    insert_quorum: 'auto',
    insert_quorum_parallel: 0,
    select_sequential_consistency: '1',
    distributed_foreground_insert: 1,
  });
  expect(clusterSettings({ name: 'c', quorum: 3 })).toMatchObject({ insert_quorum: '3' });
});

test('calls wait for each other, and one that fails holds up no other', async () => {
  const events: string[] = [];
  const call = inTurn(async (name: string) => {
    events.push(`${name} begins`);
    await turn();
    events.push(`${name} ends`);
    if (name === 'b') throw new Error('b failed');
  });
  const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => call(name)));
  expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
