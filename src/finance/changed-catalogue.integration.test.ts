import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../engine/engine.fixture.ts';
import { requireSuccession } from '../journal/counted-plans.ts';
import type { Store } from '../platform/clickhouse/store.ts';
import { readCoverage } from './closing/coverage.ts';
import { readPlanTimeZones } from './closing/plan-time-zones.ts';
import { readSponsorPlans } from './closing/sponsor-plans.ts';
import { readRatingTerms } from './corrections/rating-terms.ts';
import { readUnratable } from './corrections/unratable-plans.ts';
import { findSponsor } from './sponsor.ts';
import { Booker, chatCatalogue } from './statements/finance.fixture.ts';
import { readTerms } from './statements/invoice.ts';
import { readMonthlyTerms } from './statements/monthly-terms.ts';

let opened: OpenedStore;
const coverage = () => readCoverage(opened.store, 'chatter', '2026-10');

beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  await new Booker(opened.store, 'flows').book([{ at: '2026-10-01T12:00:00Z', octets: 1 }], '2026-10-10T00:00:00Z');
});
afterAll(() => opened?.close());

const READERS: Record<string, (store: Store) => Promise<unknown>> = {
  findSponsor: (store) => findSponsor(store, 'chatter'),
  readMonthlyTerms: (store) => readMonthlyTerms(store, 'chatter'),
  readTerms: (store) => readTerms(store, 'chatter'),
  readSponsorPlans: (store) => readSponsorPlans(store, 'chatter', 'true'),
  readPlanTimeZones: async (store) => readPlanTimeZones(store, await coverage()),
  readRatingTerms: async (store) => readRatingTerms(store, await coverage()),
  readUnratable: (store) => readUnratable(store, chatCatalogue().canonicalJson, { fromDay: 0, toDay: 30_000 }),
  requireSuccession: (store) => requireSuccession(store, chatCatalogue()),
};

test('everything that reads a kept catalogue refuses a document that does not fit its hash', async () => {
  for (const read of Object.values(READERS)) await read(opened.store);
  await opened.store.command(
    `ALTER TABLE catalogues UPDATE document = concat(substring(document, 1, length(document) - 1), ',"conditions":1}') WHERE 1 SETTINGS mutations_sync = 2`,
  );
  for (const [name, read] of Object.entries(READERS)) {
    await expect(read(opened.store), name).rejects.toMatchObject({
      code: 'store_damaged',
      message:
        'the document of a kept catalogue was changed, and `zerorate audit` names it: do not book into this store; restore it from a backup',
    });
  }
});
