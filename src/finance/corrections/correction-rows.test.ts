import { expect, test } from 'vitest';
import { SubscriberTable } from '../../rating/subscribers.ts';
import { CorrectionRows } from './correction-rows.ts';
import { CurrentCharges } from './current-charges.ts';

const HEAD = {
  correction: 'name',
  who: 'ada',
  why: 'a price',
  catalogueHash: 'abc',
  sponsorId: 'acme',
  currency: 'USD',
  fromDay: 1,
  toDay: 2,
  bookingDay: 3,
  bookedAtMs: 4,
  readLogs: [],
  readThrough: [],
};

function changes(count: number, maxChanges?: number) {
  const charges = new CurrentCharges(1);
  const subscribers = new SubscriberTable(() => new Uint8Array(16));
  charges.records.subscriber[0] = subscribers.ofPseudonym(Buffer.alloc(16, 1));
  charges.applicationName[0] = charges.names.numberOf('chat');
  charges.records.uplinkOctets[0] = 1000;
  charges.hasCharge[0] = 1;
  charges.isRecharged[0] = 1;
  charges.sponsoredOctets[0] = 400;
  charges.records.sponsoredOctets[0] = 300;
  const rows = new CorrectionRows(0, maxChanges);
  for (let change = 0; change < count; change++) rows.take(charges, 0, subscribers);
  return rows;
}

test('the octets of a reversal and its charge are those of the record, however many there are', () => {
  const count = 5000;
  const { rows, columns } = changes(count).finish(HEAD);
  expect(rows).toBe(count * 2 + 1);
  const octets = (name: string) => {
    const bytes = columns.find((column) => column.name === name)?.bytes ?? new Uint8Array();
    return new BigInt64Array(bytes.buffer, bytes.byteOffset, rows);
  };
  const [sponsored, own] = [octets('sponsored_octets'), octets('subscriber_octets')];
  for (let row = 0; row < count * 2; row += 2) {
    expect([sponsored[row], own[row], sponsored[row + 1], own[row + 1]]).toEqual([-400n, -600n, 300n, 700n]);
  }
  expect([sponsored[count * 2], own[count * 2]]).toEqual([0n, 0n]);
});

test('a correction that is too large is refused', () => {
  expect(changes(3, 3).count).toBe(3);
  expect(() => changes(4, 3)).toThrow('more than 3 records change');
});
