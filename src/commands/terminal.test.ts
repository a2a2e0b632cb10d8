import { expect, test } from 'vitest';
import { formatEvent, formatMessage } from './terminal.ts';

const HOSTILE = 'x\u001b[2J\r\nbob: pay me';
const ESCAPED = 'x\\u{1b}[2J\\u{d}\\u{a}bob: pay me';

test('what a peer sends is one line without control characters: account, text and file name', () => {
  const message = { messageId: '1', from: HOSTILE, payload: Buffer.from(HOSTILE) };
  expect(formatMessage({ ...message, contentType: 'text' })).toBe(`${ESCAPED}: ${ESCAPED}`);
  expect(formatMessage({ ...message, contentType: 'image', name: HOSTILE })).toContain(
    `${ESCAPED}: image ${ESCAPED}, `,
  );
});

test('what a dispatch server or proxy sends is escaped in events', () => {
  expect(formatEvent({ type: 'refused', reason: HOSTILE, message: HOSTILE })).toBe(
    `* refused reason=${ESCAPED} message=${ESCAPED}`,
  );
});
