import { expect, test } from 'vitest';
import { StoreError } from '../platform/clickhouse/store.ts';
import { insertBlockOnce, type Journal } from './journal.ts';
import type { JournalBlock } from './journal-block.ts';

const RETRY = { firstDelayMs: 1, maxDelayMs: 4, giveUpAfterMs: 100 };
const DOWN = new StoreError('store_unreachable', 'down', { canRetry: true });

/** What becomes of one insert: whether it lands, and what the writer hears of it. */
type Fate = { lands: boolean; error?: StoreError };

/** A journal of one lane, with the guard and the token of the real one, and a fate for each insert. */
class FakeJournal implements Pick<Journal, 'insert' | 'digestAt'> {
  readonly digests: string[] = [];
  inserts = 0;
  readonly deadTokens: number[] = [];
  readonly #fates: Fate[];
  readonly #block: JournalBlock;

  constructor(block: JournalBlock, fates: Fate[]) {
    this.#block = block;
    this.#fates = fates;
  }

  async insert(_block: JournalBlock, deadTokens: number): Promise<void> {
    this.deadTokens.push(deadTokens);
    const { lands, error } = this.#fates[this.inserts++] ?? { lands: true };
    const guard = this.digests.length === this.#block.laneSequence - 1;
    if (lands && guard) this.digests.push(this.#block.digest);
    if (error !== undefined) throw error;
    if (lands && !guard) throw new StoreError('batch_fenced', 'the journal has moved on');
  }

  async digestAt(_lane: string, laneSequence: number): Promise<string | null> {
    return this.digests[laneSequence - 1] ?? null;
  }
}

function book(fates: Fate[], before: string[] = []) {
  const block = blockOf('mine', before.length + 1);
  const journal = new FakeJournal(block, fates);
  journal.digests.push(...before);
  let nowMs = 0;
  const sleep = async (ms: number) => {
    nowMs += ms;
  };
  const clock = { monotonicMs: () => nowMs, sleep };
  return { journal, booked: insertBlockOnce(journal, block, RETRY, clock) };
}

test.each<[string, Fate[], number]>([
  ['acknowledged', [{ lands: true }], 1],
  ['landed, answer lost', [{ lands: true, error: DOWN }], 1],
  ['never arrived, then acknowledged', [{ lands: false, error: DOWN }, { lands: true }], 2],
  [
    'never arrived twice, then landed with its answer lost',
    [
      { lands: false, error: DOWN },
      { lands: false, error: DOWN },
      { lands: true, error: DOWN },
    ],
    3,
  ],
])('an insert that was %s is booked once', async (_, fates, inserts) => {
  const { journal, booked } = book(fates, ['first']);
  await booked;
  expect(journal.digests).toEqual(['first', 'mine']);
  expect(journal.inserts).toBe(inserts);
});

test('another batch in its place is a fence, not a retry', async () => {
  const block = blockOf('mine', 2);
  const journal = new FakeJournal(block, []);
  journal.digests.push('first', 'theirs');
  const clock = { monotonicMs: () => 0, sleep: async () => {} };
  await expect(insertBlockOnce(journal, block, RETRY, clock)).rejects.toMatchObject({
    code: 'batch_fenced',
    canRetry: true,
  });
  expect(journal.inserts).toBe(1);
});

test('a lane that is behind the writer is a fence too', async () => {
  const block = blockOf('mine', 3);
  const journal = new FakeJournal(block, []);
  journal.digests.push('first');
  const clock = { monotonicMs: () => 0, sleep: async () => {} };
  await expect(insertBlockOnce(journal, block, RETRY, clock)).rejects.toMatchObject({
    code: 'batch_fenced',
  });
});

test('a store that stays away is given up after the limit, with its error', async () => {
  const { journal, booked } = book(Array.from({ length: 1000 }, () => ({ lands: false, error: DOWN })));
  await expect(booked).rejects.toBe(DOWN);
  expect(journal.digests).toEqual([]);
});

test('an error that no repetition fixes is not repeated', async () => {
  const refused = new StoreError('store_refused', 'syntax');
  const { journal, booked } = book([{ lands: false, error: refused }]);
  await expect(booked).rejects.toBe(refused);
  expect(journal.inserts).toBe(1);
});

test('an acknowledged insert that is not in the journal has met a token without its insert: the next spelling is tried', async () => {
  const { journal, booked } = book([{ lands: false, error: DOWN }, { lands: false }, { lands: false }]);
  await booked;
  expect(journal.digests).toEqual(['mine']);
  expect(journal.deadTokens).toEqual([0, 0, 1, 2]);
});

test('a store that acknowledges again and again and keeps nothing is broken', async () => {
  const { journal, booked } = book(Array.from({ length: 100 }, () => ({ lands: false })));
  await expect(booked).rejects.toMatchObject({ code: 'store_broken', canRetry: false });
  expect(journal.inserts).toBe(9);
});

function blockOf(digest: string, laneSequence: number): JournalBlock {
  return {
    log: { topic: 't', partition: 0, lane: 't-0' },
    bookingDay: 20000,
    chainedDay: 0,
    prev: -1,
    laneSequence,
    lanePosition: 0,
    digest,
    firstOffset: 0,
    lastOffset: 9,
    gapReason: '',
    keyMismatches: 0,
    columns: [],
    parts: [],
  };
}
