import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource, OPEN_STORE, type OpenedStore, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { Rules } from '../../rating/rules.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { parseDay } from '../calendar-day.ts';
import { catalogueOf } from '../statements/finance.fixture.ts';
import { whatIf } from './what-if.ts';

const OCTETS = 1_048_576;
const OCTOBER = { fromDay: Number(parseDay('2026-10-01')), toDay: Number(parseDay('2026-11-01')) };
let opened: OpenedStore;

interface Terms {
  chatPayer?: string;
  currency?: string;
  mailPeriod?: string;
  mailConditions?: string;
  price?: string;
}

/** Returns a catalogue with applications chat and mail of acme, and news of bolt, at a price for each MiB. */
function catalogueWith({
  chatPayer = 'acme',
  currency = 'USD',
  mailPeriod = 'month',
  mailConditions = '',
  price = '1',
}: Terms = {}): Catalogue {
  const plan = (application: string, period: string, conditions = '') =>
    `  - { id: ${application}-${period}, application: ${application}, version: 1, effectiveFrom: 2020-01-01T00:00:00Z, effectiveTo: null, ` +
    `period: ${period}, ${conditions}timeZone: UTC, content: { text: 10000 }, quotaOctets: null, tiers: [{ upToOctets: ${OCTETS}, pricePerMiB: "${price}" }, { upToOctets: null, pricePerMiB: "3" }] }`;
  return catalogueOf(
    `sponsors:\n  - { id: acme, name: Acme, currency: ${currency}, creditLimit: "1000" }\n` +
      '  - { id: bolt, name: Bolt, currency: EUR, creditLimit: "1000" }\n' +
      `applications:\n  - { id: chat, sponsor: ${chatPayer}, tags: [chat] }\n` +
      '  - { id: mail, sponsor: acme, tags: [mail] }\n  - { id: news, sponsor: bolt, tags: [news] }\n' +
      `plans:\n${plan('chat', 'month')}\n${plan('mail', mailPeriod, mailConditions)}\n${plan('news', 'month')}\n`,
  );
}

const records = [
  ['chat', 20],
  ['mail', 2],
  ['news', 21],
  ['chat', 22],
].map(([tag, day], at) =>
  testRecord({
    localSequenceNumber: at + 1,
    startTime: Date.UTC(2026, 9, Number(day)),
    endTime: Date.UTC(2026, 9, Number(day), 1),
    zeroRatingTag: String(tag),
    remoteIp: '8.8.8.8',
    contentType: 'text',
    uplinkOctets: 0,
    downlinkOctets: OCTETS,
  }),
);

/** Books the first records under one catalogue, the others under another. */
async function book(from: number, to: number, catalogue: Catalogue): Promise<void> {
  const log = { topic: 'flows', partition: 0, lane: 'flows-0' };
  const raw = rawRecords(records, Date.UTC(2026, 10, 2)).slice(from, to);
  await runEngine({ store: opened.store, source: memorySource(log, raw, 1000), catalogue, maxRecords: 1000 });
}

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await book(0, 3, catalogueWith());
  // The last record is bolt's: chat had moved before it, and its counter continued.
  await book(3, 4, catalogueWith({ chatPayer: 'bolt' }));
});
afterAll(() => opened?.close());

async function simulated(terms: Terms, sponsorId: string | null = null) {
  const { lines, refused } = await whatIf(opened.store, new Rules(catalogueWith(terms)), { sponsorId, range: OCTOBER });
  const sums = lines.map(({ sponsorId, currency, planId, before, after }) => [
    `${sponsorId} ${currency} ${planId}`,
    Number(before.chargeMicros) / 1e6,
    Number(after.chargeMicros) / 1e6,
  ]);
  return { sums: sums.sort(), refused };
}

test('an application that moves to another sponsor is rated with one counter, and its charges move in that sponsor’s currency', async () => {
  const { sums, refused } = await simulated({ chatPayer: 'bolt', price: '2' });
  expect(refused).toEqual([]);
  expect(sums).toEqual(
    [
      ['acme USD chat-month', 1, 0],
      ['acme USD mail-month', 1, 2],
      ['bolt EUR chat-month', 0, 2],
      ['bolt EUR chat-month', 3, 3],
      ['bolt EUR news-month', 1, 2],
    ].sort(),
  );
});

test('one sponsor: its charges, and those of applications that the draft gives it', async () => {
  const { sums } = await simulated({ chatPayer: 'bolt' }, 'acme');
  expect(sums.map(([name]) => name)).toEqual(['acme USD chat-month', 'acme USD mail-month', 'bolt EUR chat-month']);
});

test('an application that the draft cannot be applied to is named, and the others are computed', async () => {
  const torn = await simulated({ mailPeriod: 'week', chatPayer: 'bolt' });
  expect(torn.refused).toEqual([
    { applicationId: 'mail', reason: expect.stringMatching(/is only a part of the period of plan mail-week/) },
  ]);
  expect(torn.sums).toHaveLength(4);
  const currency = await simulated({ currency: 'JPY', chatPayer: 'bolt' });
  expect(currency.refused).toEqual([
    { applicationId: 'mail', reason: expect.stringMatching(/acme has JPY in the catalogue and was charged in USD/) },
  ]);
  expect(currency.sums).toHaveLength(4);
  const placed = await simulated({ mailConditions: 'conditions: { servingPlmns: ["26201"] }, ' });
  expect(placed.refused).toEqual([
    { applicationId: 'mail', reason: expect.stringMatching(/the conditions servingPlmns.*rerate --from-source/) },
  ]);
});
