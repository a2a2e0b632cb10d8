import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { sponsoredOctetsOf } from './content-octets.ts';
import { decodeRelayMessage, encodeRelayMessage, isMessageOf, messageMac, type RelayMessage } from './relay-message.ts';

const KEY = Buffer.alloc(32, 7);
const MESSAGE: RelayMessage = { header: { sequence: 4, messageId: 'm-4', to: 'bob' }, payload: Buffer.from('hello') };

function signed(message: RelayMessage): RelayMessage {
  return { ...message, header: { ...message.header, mac: messageMac(KEY, 'text', message) } };
}

test('a message comes back as it was', () => {
  const frame = encodeRelayMessage(signed(MESSAGE));
  expect(decodeRelayMessage(frame)).toEqual(signed(MESSAGE));
});

test('a message verifies with its key, its content type and itself alone', () => {
  const message = signed(MESSAGE);
  expect(isMessageOf(KEY, 'text', message)).toBe(true);
  expect(isMessageOf(Buffer.alloc(32, 8), 'text', message)).toBe(false);
  expect(isMessageOf(KEY, 'image', message)).toBe(false);
  expect(isMessageOf(KEY, 'text', { ...message, payload: Buffer.from('hellO') })).toBe(false);
  for (const change of [{ sequence: 5 }, { messageId: 'm-5' }, { to: 'eve' }, { name: 'a.png' }, { mac: undefined }]) {
    expect(isMessageOf(KEY, 'text', { ...message, header: { ...message.header, ...change } })).toBe(false);
  }
});

test('frames of no shape are null, whatever they hold', () => {
  const whole = encodeRelayMessage(MESSAGE);
  const headerEnd = whole.length - MESSAGE.payload.length;
  for (let length = 0; length < headerEnd; length++) expect(decodeRelayMessage(whole.subarray(0, length))).toBeNull();
  fc.assert(fc.property(fc.uint8Array(), (octets) => decodeRelayMessage(Buffer.from(octets)) === null));
});

test('shares count over the session, their remainders together', () => {
  const usage = [
    { contentType: 'text', uplinkOctets: 3, downlinkOctets: 0 },
    { contentType: 'image', uplinkOctets: 1, downlinkOctets: 2 },
    { contentType: 'video', uplinkOctets: 100, downlinkOctets: 100 },
  ] as const;
  expect(sponsoredOctetsOf(usage, { text: 5000, image: 5000 })).toBe(3);
});
