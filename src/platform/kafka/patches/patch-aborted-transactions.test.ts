import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FetchedRecord, markAborted } from './patch-record-sets.ts';

const ABORT = Buffer.from([0, 0, 0, 0]);
const COMMIT = Buffer.from([0, 0, 0, 1]);
type Step = { producerId: string; does: 'write' | 'commit' | 'abort' };

const step: fc.Arbitrary<Step> = fc.record({
  producerId: fc.constantFrom('1', '2', '3'),
  does: fc.constantFrom('write', 'write', 'write', 'commit', 'abort'),
});

/** A log of interleaved transactions that are all decided, and which of its records were committed. */
function logOf(steps: readonly Step[]) {
  const messages: FetchedRecord[] = [];
  const aborted: { producerId: string; firstOffset: string; lastOffset: number }[] = [];
  const committed: string[] = [];
  const open = new Map<string, string[]>();
  const append = (producerId: string, marker: Buffer | null) => {
    const offset = String(messages.length);
    const batchContext = { producerId, inTransaction: true };
    // A record's own key may look like a marker.
    messages.push({ offset, key: marker ?? ABORT, isControlRecord: marker !== null, batchContext });
    return offset;
  };
  const end = (producerId: string, commits: boolean) => {
    const [firstOffset, ...rest] = open.get(producerId) ?? [];
    if (firstOffset === undefined) return;
    open.delete(producerId);
    const lastOffset = Number(append(producerId, commits ? COMMIT : ABORT));
    if (commits) committed.push(firstOffset, ...rest);
    else aborted.push({ producerId, firstOffset, lastOffset });
  };
  for (const { producerId, does } of steps) {
    if (does === 'write') open.set(producerId, [...(open.get(producerId) ?? []), append(producerId, null)]);
    else end(producerId, does === 'commit');
  }
  for (const producerId of [...open.keys()]) end(producerId, false);
  return { messages, aborted, committed };
}

test('hides exactly the aborted records, wherever the fetch begins', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.nat(), (steps, begin) => {
      const { messages, aborted, committed } = logOf(steps);
      const start = messages.length === 0 ? 0 : begin % messages.length;
      const fetched = messages.slice(start);
      markAborted({
        abortedTransactions: aborted.filter(({ lastOffset }) => lastOffset >= start),
        messages: fetched,
      });
      const visible = fetched.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => Number(offset));
      expect(visible).toEqual(
        committed
          .map(Number)
          .filter((offset) => offset >= start)
          .sort((a, b) => a - b),
      );
    }),
  );
});

test('leaves a fetch without aborted transactions alone', () => {
  const message = {
    offset: '0',
    key: null,
    isControlRecord: false,
    batchContext: { producerId: '1', inTransaction: true },
  };
  for (const abortedTransactions of [[], null]) markAborted({ abortedTransactions, messages: [message] });
  expect(message.isControlRecord).toBe(false);
});
