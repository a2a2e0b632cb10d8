import { expect, test } from 'vitest';
import { bookedLog, gapNotAcceptedError, resolveResumeOffset } from './resume-offset.ts';

const log = { topic: 't', partition: 0, lane: 't-0' };
const again = { ...log, topic: 't~2' };

test.each([
  ['files have no bounds', 6, null, 7],
  ['the log has what comes next', 6, { startOffset: 0, endOffset: 20 }, 7],
  ['nothing new yet', 6, { startOffset: 3, endOffset: 7 }, 7],
  ['retention stopped just before the next', 6, { startOffset: 7, endOffset: 20 }, 7],
  ['the first batch of all begins where the log does', -1, { startOffset: 5, endOffset: 20 }, 5],
])('continues: %s', (_, cursor, bounds, expected) => {
  expect(resolveResumeOffset(log, cursor, bounds)).toBe(expected);
});

test('records that retention took before they were booked are a gap', () => {
  const gap = { reason: 'records_lost', log, firstOffset: 7, lastOffset: 9 } as const;
  expect(resolveResumeOffset(log, 6, { startOffset: 10, endOffset: 20 })).toEqual(gap);
  expect(gapNotAcceptedError(gap, 6)).toMatchObject({ code: 'records_lost', path: 't-0', canRetry: false });
  expect(gapNotAcceptedError(gap, 6).message).toContain('--accept-gap');
});

test('a log that begins at 0, by the journal, has lost what retention took before the first batch', () => {
  const gap = { reason: 'records_lost', log, firstOffset: 0, lastOffset: 4 };
  expect(resolveResumeOffset(log, -1, { startOffset: 5, endOffset: 20 }, true)).toEqual(gap);
});

test('a log that ends below the cursor is another log, which is booked under another name', () => {
  const gap = { reason: 'topic_recreated', log: again, firstOffset: 0, lastOffset: 1 } as const;
  expect(resolveResumeOffset(log, 6, { startOffset: 2, endOffset: 5 })).toEqual(gap);
  expect(resolveResumeOffset(again, 6, { startOffset: 0, endOffset: 0 })).toMatchObject({
    log: { topic: 't~3' },
    lastOffset: -1,
  });
  expect(gapNotAcceptedError(gap, 6)).toMatchObject({ code: 'topic_recreated', path: 't-0' });
});

test('the lane’s last batch says which of the logs is the one of today', () => {
  expect(bookedLog(log, '')).toEqual(log);
  expect(bookedLog(log, 't')).toEqual(log);
  expect(bookedLog(log, 't~12')).toEqual({ ...log, topic: 't~12' });
  // A file's name ends alike and means something else.
  expect(bookedLog({ ...log, topic: 'a.csv~12345678' }, 'b.csv~12345678').topic).toBe('a.csv~12345678');
});
