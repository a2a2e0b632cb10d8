import { expect, test } from 'vitest';
import { counterColumns, identityColumns } from '../../test/simulation/restored-columns.ts';
import type { Journal } from '../journal/journal.ts';
import { PseudonymKey } from '../rating/subscribers.ts';
import { lastQuotaUpdates, recoverLane } from './recovery.ts';
import { chatCatalogue } from './traffic.fixture.ts';

const WINDOW = 4;

/** A journal of one lane in which another engine books right after the head was read. */
function growingJournal(): Pick<Journal, 'head' | 'counters' | 'seen' | 'moves'> {
  let records = 6;
  return {
    async head() {
      const head = { sequence: records, position: records, topic: 'flow', bookingDay: 20_000 };
      records += 2 * WINDOW;
      return head;
    },
    async *counters() {},
    async *seen(_lane, fromOrdinal, toOrdinal) {
      const ordinals = Array.from({ length: Math.min(records, toOrdinal) - fromOrdinal }, (_, at) => fromOrdinal + at);
      yield identityColumns(
        ordinals.map((ordinal) => ({ ordinal, nodeId: 'gw-1', sequence: ordinal, fingerprint: 0 })),
      );
    },
    async moves() {
      return [];
    },
  };
}

test('what another engine books while a lane is read does not get into its window of duplicates', async () => {
  const options = {
    pseudonymKey: PseudonymKey.ofRoot(new Uint8Array(32)),
    duplicateWindowRecords: WINDOW,
    horizonDay: 0,
  };
  const { lane } = await recoverLane(growingJournal(), 'flow-0', options);
  const seen = (ordinal: number, sequence: number) => {
    lane.duplicates.advance(ordinal);
    return lane.duplicates.see(ordinal, lane.nodes.numberOf('gw-1'), sequence, 0);
  };
  expect(seen(6, 5)).toBe('duplicate');
  // Booked by the other engine, not by the batch that this memory is about.
  expect(seen(7, 7)).toBe('new');
});

test('a late record of the last batch announces nothing, though the current counter is not in memory', async () => {
  const subscriber = new Uint8Array(16);
  const [late, current] = [20_000, 20_005];
  const journal: Pick<Journal, 'head' | 'counters' | 'seen' | 'moves'> = {
    ...growingJournal(),
    async *counters(_lane, fromDay, toDay) {
      for (const periodStart of [late, current]) {
        const counter = { subscriber, planId: 'chat-daily', periodStart, usedOctets: 5, carry: 0 };
        if (periodStart >= fromDay && periodStart < toDay) yield counterColumns([counter]);
      }
    },
    async moves() {
      const plan = { planId: 'chat-daily', planVersion: 1 };
      return [
        {
          ...plan,
          subscriber: '00'.repeat(16),
          periodStart: late,
          usedOctets: 5,
          topic: 'flow',
          partition: 0,
          offset: 5,
        },
      ];
    },
  };
  const catalogue = chatCatalogue();
  const options = {
    pseudonymKey: PseudonymKey.ofRoot(new Uint8Array(32)),
    duplicateWindowRecords: WINDOW,
    horizonDay: 20_010,
  };
  const recovered = await recoverLane(journal, 'flow-0', options);
  const updates = await lastQuotaUpdates(journal, 'flow-0', recovered, catalogue);
  expect(updates.flatMap((batch) => [...batch])).toEqual([]);
});

test('the last two batches are published once more, a counter that both have moved as the later one left it', async () => {
  const move = (subscriber: number, usedOctets: number, offset: number) => ({
    subscriber: String(subscriber).padStart(32, '0'),
    planId: 'chat-daily',
    planVersion: 1,
    periodStart: 20_000,
    usedOctets,
    topic: 'flow',
    partition: 0,
    offset,
  });
  const batches = new Map([
    [4, [move(9, 900, 3)]],
    [5, [move(1, 100, 4), move(2, 200, 5)]],
    [6, [move(2, 250, 6), move(3, 300, 7)]],
  ]);
  const journal = { ...growingJournal(), moves: async (_lane: string, batch: number) => batches.get(batch) ?? [] };
  const options = {
    pseudonymKey: PseudonymKey.ofRoot(new Uint8Array(32)),
    duplicateWindowRecords: WINDOW,
    horizonDay: 20_010,
  };
  const recovered = await recoverLane(journal, 'flow-0', options);
  const updates = await lastQuotaUpdates(journal, 'flow-0', recovered, chatCatalogue());
  const published = updates.flatMap((batch) => [...batch]);
  expect(published.map(({ subscriber, usedOctets }) => [Number(subscriber), usedOctets])).toEqual([
    [1, 100],
    [2, 250],
    [3, 300],
  ]);
});
