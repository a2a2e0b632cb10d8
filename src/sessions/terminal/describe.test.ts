import { expect, test } from 'vitest';
import { describeDelivery, describeEvent, describeMessage, describeOctets, describeStatus } from './describe.ts';

const HOSTILE = 'x\u001b[2J\r\nbob: pay me';
const ESCAPED = 'x\\u{1b}[2J\\u{d}\\u{a}bob: pay me';

test('what a peer sends is one line without control characters: account, text and file name', () => {
  const message = { messageId: '1', from: HOSTILE, payload: Buffer.from(HOSTILE) };
  expect(describeMessage({ ...message, contentType: 'text' })).toBe(`${ESCAPED}: ${ESCAPED}`);
  expect(describeMessage({ ...message, contentType: 'image', name: HOSTILE })).toContain(
    `${ESCAPED}: image ${ESCAPED}, `,
  );
});

test('what a dispatch server or proxy sends is escaped, in events, deliveries and the status', () => {
  const status = { sponsoredOctetsCap: 0, usedSponsoredOctets: 0, remainingOctets: 0 };
  for (const text of [
    describeEvent({ type: 'refused', reason: HOSTILE, message: HOSTILE }),
    describeEvent({ type: 'session', sessionId: '1', proxyId: HOSTILE, sponsoredOctetsCap: 1, remainingOctets: 1 }),
    describeEvent({ type: 'session_lost', reason: HOSTILE }),
    describeEvent({ type: 'direct', contentType: 'text', reason: HOSTILE }),
    describeEvent({ type: 'renewal_refused', reason: HOSTILE, message: HOSTILE }),
    describeDelivery({ via: 'direct', reason: HOSTILE }),
    describeDelivery({ via: null, reason: HOSTILE }),
    describeStatus({ ...status, proxyId: HOSTILE, reason: null }),
    describeStatus({ ...status, proxyId: null, reason: HOSTILE }),
  ]) {
    expect(text).toContain(ESCAPED);
    expect(text).not.toMatch(/\p{Cc}/u);
  }
});

test.each([
  [0, '0 octets'],
  [1023, '1023 octets'],
  [1024, '1.00 KiB (1 024 octets)'],
  [10_272_646, '9.80 MiB (10 272 646 octets)'],
  [2 ** 48, '256.00 TiB (281 474 976 710 656 octets)'],
])('%d octets are shown in bytes, with the exact number: %s', (octets, shown) => {
  expect(describeOctets(octets)).toBe(shown);
});

test('the remaining quota is shown in bytes, or there is no limit', () => {
  const status = { proxyId: 'proxy-1', reason: null, sponsoredOctetsCap: 2048, usedSponsoredOctets: 512 };
  expect(describeStatus({ ...status, remainingOctets: 5_242_880 })).toBe(
    'session at proxy-1: 512 octets of 2.00 KiB (2 048 octets) used; 5.00 MiB (5 242 880 octets) left of the quota',
  );
  expect(describeStatus({ ...status, remainingOctets: null })).toContain('used; no limit');
});
