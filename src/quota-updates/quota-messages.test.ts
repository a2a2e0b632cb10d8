import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutIntoRequests, quotaMessage } from './quota-messages.ts';
import { quotaUpdate } from './quota-update.fixture.ts';

test('the key is subscriber and plan', () => {
  const message = quotaMessage(quotaUpdate(), () => Buffer.from('value'));
  expect(message.key.toString()).toBe('0123456789abcdef0123456789abcdef|acme-chat-daily');
  expect(message.value.toString()).toBe('value');
});

test('requests keep the order, lose nothing, and stay below the limit unless one message is larger', () => {
  const message = fc.record({
    key: fc.constant(Buffer.alloc(4)),
    value: fc.nat(300).map((size) => Buffer.alloc(size)),
  });
  fc.assert(
    fc.property(
      fc.array(message),
      fc.integer({ min: 1, max: 800 }),
      fc.integer({ min: 1, max: 9 }),
      (messages, limit, most) => {
        const requests = cutIntoRequests(messages, { octets: limit, messages: most });
        expect(requests.flat()).toEqual(messages);
        for (const request of requests) {
          expect(request.length).toBeGreaterThan(0);
          expect(request.length).toBeLessThanOrEqual(most);
          const octets = request.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
          expect(request.length === 1 || octets <= limit).toBe(true);
        }
      },
    ),
  );
});
