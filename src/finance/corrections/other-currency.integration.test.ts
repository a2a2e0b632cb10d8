import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { systemClock } from '../../platform/clock.ts';
import { closeMonth } from '../closing/close-month.ts';
import { bookCorrection } from './book-correction.ts';
import { bookedSource } from './booked-source.fixture.ts';
import { book, LOGS, RIGHT } from './missed-traffic.fixture.ts';
import { changedCatalogue, rulesOf } from './rating.fixture.ts';

const EUR = rulesOf(changedCatalogue(['currency: USD', 'currency: EUR']));
const FEBRUARY = [Date.UTC(2027, 1, 1), Date.UTC(2027, 2, 1)].map((ms) => ms / 86_400_000);
const REFUSAL = /^sponsor acme has EUR in the catalogue, and its account is in USD/;

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await book(opened.store, RIGHT, LOGS[0]);
});
afterAll(() => opened?.close());

test.each([true, false])(
  'another currency than the account’s is refused, also for periods without a charge (from the source: %s)',
  async (isRead) => {
    const [fromDay, toDay] = FEBRUARY;
    const request = { name: 'euros', who: 'ada', why: 'a test', sponsorId: 'acme', range: { fromDay, toDay } };
    const source = isRead ? { openSource: async () => bookedSource(opened.store, LOGS) } : {};
    await expect(bookCorrection(opened.store, EUR, request, systemClock, source)).rejects.toThrow(REFUSAL);
  },
);

test('a month is not closed in it', async () => {
  await opened.store.command(
    'INSERT INTO catalogues (hash, document, first_used_at) SELECT lower(hex(SHA256(changed))), changed, ' +
      'toDateTime64(\'2100-01-01\', 3) FROM (SELECT replaceAll(document, \'"currency":"USD"\', \'"currency":"EUR"\') AS changed FROM catalogues LIMIT 1)',
  );
  await opened.store.command(
    "INSERT INTO journal (kind, lane, topic, lane_sequence, catalogue_hash) SELECT 'batch', 'other', 'other', 1, " +
      "hash FROM catalogues WHERE first_used_at >= '2100-01-01'",
  );
  const request = { sponsorId: 'acme', month: '2026-09', who: 'finn', nowMs: Date.UTC(2027, 0, 1) };
  await expect(closeMonth(opened.store, request)).rejects.toThrow(REFUSAL);
});
