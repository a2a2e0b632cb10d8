import { expect, test } from 'vitest';
import { counterColumns, identityColumns } from '../../test/simulation/restored-columns.ts';
import { NOT_RECORDED } from '../journal/block-rows.ts';
import type { BookedMove, Journal } from '../journal/journal.ts';
import { PseudonymKey } from '../rating/subscribers.ts';
import { recoverLane, unpublishedUpdates } from './recovery.ts';
import { chatCatalogue } from './traffic.fixture.ts';

const WINDOW = 4;

/** A journal of one lane in which another engine books right after the head was read. */
function growingJournal(): Pick<Journal, 'head' | 'counters' | 'seen' | 'moves'> {
  let records = 6;
  return {
    async head() {
      const place = { topic: 'flow', bookingDay: 20_000, publishedThrough: NOT_RECORDED };
      const head = { sequence: records, position: records, ...place };
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
  const updates = await unpublishedUpdates(journal, 'flow-0', recovered, catalogue);
  expect(updates.flatMap((batch) => [...batch])).toEqual([]);
});

const move = (subscriber: number, usedOctets: number, offset: number, topic = 'flow'): BookedMove => ({
  subscriber: String(subscriber).padStart(32, '0'),
  planId: 'chat-daily',
  planVersion: 1,
  periodStart: 20_000,
  usedOctets,
  topic,
  partition: 0,
  offset,
});

/** The updates that are published after the last of six batches: subscriber and use of each. */
async function publishedAfter(batches: ReadonlyMap<number, BookedMove[]>, publishedThrough: number) {
  const journal = {
    ...growingJournal(),
    async moves(_lane: string, after: number, through: number) {
      const newest = new Map<string, BookedMove>();
      for (const [batch, moves] of batches) {
        if (batch > after && batch <= through) for (const moved of moves) newest.set(moved.subscriber, moved);
      }
      return [...newest.values()];
    },
  };
  const options = {
    pseudonymKey: PseudonymKey.ofRoot(new Uint8Array(32)),
    duplicateWindowRecords: WINDOW,
    horizonDay: 20_010,
  };
  const recovered = await recoverLane(journal, 'flow-0', options);
  recovered.head.publishedThrough = publishedThrough;
  const updates = await unpublishedUpdates(journal, 'flow-0', recovered, chatCatalogue());
  return updates
    .flatMap((batch) => [...batch])
    .map(({ subscriber, usedOctets, topic }) => [Number(subscriber), usedOctets, topic])
    .toSorted();
}

const BATCHES = new Map([
  [3, [move(8, 800, 2)]],
  [4, [move(9, 900, 3)]],
  [5, [move(1, 100, 4, 'other'), move(2, 200, 5, 'other')]],
  [6, [move(2, 250, 6), move(3, 300, 7)]],
]);
const LAST_TWO = [
  [1, 100, 'other'],
  [2, 250, 'flow'],
  [3, 300, 'flow'],
];

test.each([
  ['a store that does not say what was published', NOT_RECORDED],
  ['all but the last was published', 5],
  ['all but the last two were published', 4],
])('the last two batches are published once more, each counter as the later one left it: %s', async (_, published) => {
  expect(await publishedAfter(BATCHES, published)).toEqual(LAST_TWO);
});

test('what has waited before the last two batches is published too, with its own log', async () => {
  expect(await publishedAfter(BATCHES, 3)).toEqual([...LAST_TWO, [9, 900, 'flow']]);
  expect(await publishedAfter(BATCHES, 0)).toEqual([...LAST_TWO, [8, 800, 'flow'], [9, 900, 'flow']]);
});
