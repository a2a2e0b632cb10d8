import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { readCoverage } from '../closing/coverage.ts';
import { coveredCsv } from '../closing/covered-rows.ts';
import { readMissingRecords } from '../closing/node-gaps.ts';
import { Booker, bookCorrection, bookEntry, catalogueOf, chatCatalogue } from './finance.fixture.ts';
import { readStatement } from './statement.ts';
import { type Statement, statementJson, statementSchema } from './statement-document.ts';

const DEARER = '[{ upToOctets: 1000000, pricePerMiB: "3" }, { upToOctets: null, pricePerMiB: "1.5" }]';

describe.each(['embedded', 'http'] as const)('with a store of access %s', (access) => {
  let opened: OpenedStore;
  let statement: Statement;

  beforeAll(async () => {
    opened = await OPEN_STORE[access]();
    const booker = new Booker(opened.store, 'flows');
    await booker.book(
      [
        { at: '2026-10-01T10:00:00Z', octets: 600_000 },
        { at: '2026-10-03T10:00:00Z', octets: 800_000 },
        { at: '2026-10-03T23:59:59Z', octets: 100_001, contentType: 'video', msisdn: '999000000002' },
      ],
      '2026-10-04',
    );
    // The same version, with another content.
    await booker.book([{ at: '2026-10-05T00:00:00Z', octets: 500_000, msisdn: '999000000003' }], '2026-11-02', {
      catalogue: chatCatalogue(DEARER),
    });
    await bookEntry(opened.store, { number: 1, amountMicros: 5_000_000, effectiveAt: '2026-09-30T00:00:00.000Z' });
    await bookEntry(opened.store, { number: 2, amountMicros: -250_000, effectiveAt: '2026-10-07T08:09:10.000Z' });
    statement = await readStatement(opened.store, 'chatter', '2026-10');
  });
  afterAll(() => opened?.close());

  test('a line has the tiers of the catalogues that its batches were rated with, and adds up to the micro-unit', () => {
    expect(statement.lines).toEqual([
      {
        applicationId: 'chat',
        planId: 'chat-monthly',
        planVersion: 1,
        usageMonth: '2026-10',
        isAdjustment: false,
        records: 4,
        // 1,400,000 and half of 100,001 under the first catalogue, 500,000 under the second.
        sponsoredOctets: 1_950_000n,
        subscriberOctets: 50_001n,
        // floor(2479553.2 + 0.5) + floor(95367.4 + 0.5) + floor(1430511.5 + 0.5)
        chargeMicros: 2_479_553n + 95_367n + 1_430_511n,
        tiers: [
          {
            fromOctets: 0n,
            toOctets: 1_000_000n,
            pricePerMiBMicros: 2_000_000n,
            octets: 1_050_000n,
            amountMicros: 2_002_716n,
          },
          {
            fromOctets: 1_000_000n,
            toOctets: null,
            pricePerMiBMicros: 1_500_000n,
            octets: 400_000n,
            amountMicros: 572_205n,
          },
          {
            fromOctets: 0n,
            toOctets: 1_000_000n,
            pricePerMiBMicros: 3_000_000n,
            octets: 500_000n,
            amountMicros: 1_430_511n,
          },
        ],
        roundingMicros: -1n,
      },
    ]);
  });

  test('the total is rounded once, and the balance continues from the opening balance', () => {
    const chargeMicros = 4_005_431n;
    expect(statement.totals).toEqual({
      records: 4,
      sponsoredOctets: 1_950_000n,
      subscriberOctets: 50_001n,
      chargeMicros,
      adjustmentMicros: 0n,
      totalMicros: chargeMicros,
      total: '4.01',
      openingMicros: 5_000_000n,
      creditMicros: -250_000n,
      closingMicros: 5_000_000n - 250_000n - chargeMicros,
    });
    expect(statement.isOpeningFinal).toBe(false);
    expect(statement.entries).toEqual([
      {
        number: 2,
        kind: 'payment',
        amountMicros: -250_000n,
        effectiveAt: '2026-10-07T08:09:10.000Z',
        bookedAt: '2026-10-07T08:09:10.000Z',
        who: 'Ada',
        why: 'why 2',
      },
    ]);
  });

  test('days, applications and content types each add up to the month', () => {
    const { byDay, byApplication, byContentType, totals } = statement;
    expect(byDay.map(({ day, sponsoredOctets }) => [day, sponsoredOctets])).toEqual([
      ['2026-10-01', 600_000n],
      ['2026-10-03', 850_000n],
      ['2026-10-05', 500_000n],
    ]);
    expect(byContentType.map(({ contentType, subscriberOctets }) => [contentType, subscriberOctets])).toEqual([
      ['text', 0n],
      ['video', 50_001n],
    ]);
    for (const usage of [byDay, byApplication, byContentType]) {
      expect(usage.reduce((sum, { chargeMicros }) => sum + chargeMicros, 0n)).toBe(totals.chargeMicros);
    }
  });

  test('it names the batches, and every row is a leaf', async () => {
    const batches = await opened.store.query('SELECT digest FROM batches ORDER BY last_offset');
    expect(statement.proof.batches.list?.map(({ digest }) => ({ digest }))).toEqual(batches);
    const chunks: Uint8Array[] = [];
    for await (const chunk of coveredCsv(
      opened.store,
      await readCoverage(opened.store, 'chatter', '2026-10'),
      statement.proof.leaves,
    ))
      chunks.push(chunk);
    const [header, ...lines] = Buffer.concat(chunks).toString('utf8').trimEnd().split('\n');
    expect(statement.proof.leaves).toBe(lines.length);
    expect(header).toMatch(/^topic,partition,offset,origin,/);
    expect(lines[3]).toMatch(
      /^"flows",0,3,"charge",0,"2026-11-02","2026-10","2026-10-01","chatter","chat","chat-monthly",1,"[0-9a-f]{32}","tag","text","2026-10-05T00:00:00.000Z","sponsored",500000,0,1430511,"USD",500000$/,
    );
  });

  test('as JSON it is the same value again', () => {
    const json = statementJson(statement);
    expect(statementSchema.parse(JSON.parse(json))).toEqual(statement);
    expect(json).toContain('"chargeMicros": "4005431"');
  });
});

describe('what a statement says beside its lines', () => {
  let opened: OpenedStore;
  let booker: Booker;

  beforeAll(async () => {
    opened = await OPEN_STORE.embedded();
    booker = new Booker(opened.store, 'flows');
  });
  afterAll(() => opened?.close());

  test('an unknown sponsor is refused, and the known ones are named', async () => {
    await expect(readStatement(opened.store, 'chatter', '2026-10')).rejects.toThrow('it knows none yet');
    await booker.book([{ at: '2026-10-01', octets: 1_048_576 }], '2026-10-02');
    await expect(readStatement(opened.store, 'chat', '2026-10')).rejects.toThrow(/chat: .*it knows chatter$/);
  });

  test('sequence gaps, rejections, late records and lost offsets of the month are reported', async () => {
    const wrong = { at: '2026-10-02T00:00:00Z', octets: -1 };
    await booker.book([wrong], '2026-11-05');
    await booker.book([{ at: '2026-10-03T00:00:00Z', octets: 3_145_728 }], '2026-11-05', { skipped: 4 });
    await booker.book([{ at: '2026-11-03T00:00:00Z', octets: 1_048_576 }], '2026-11-05', { skipped: 2 });
    await opened.store.command(
      "INSERT INTO journal (kind, lane, topic, partition, offset, first_offset, booking_date, lane_sequence, gap_reason) SELECT 'batch', 'lost-0', 'lost', 0, 9, 5, '2026-10-09', 1, 'records_lost'",
    );
    const { completeness } = await readStatement(opened.store, 'chatter', '2026-10');
    expect(completeness).toEqual({
      // 1 to 7: three arrived, one of them rejected; what two of them held, times 4 of 3 that arrived.
      missingRecords: { records: 2, sponsoredOctets: 5_592_405n, chargeMicros: 8_635_782n },
      // An unreadable record is no sponsor's.
      rejections: [],
      lateRecords: {
        records: 0,
        sponsoredOctets: 0n,
        chargeMicros: 0n,
        settlements: [{ planId: 'chat-monthly', planVersion: 1, usageMonth: '2026-10', settledOn: '2026-11-10' }],
      },
      sourceGaps: [{ reason: 'records_lost', bookingDate: '2026-10-09' }],
    });
    const next = (await readStatement(opened.store, 'chatter', '2026-11')).completeness;
    expect(next).toMatchObject({
      missingRecords: { records: 0, sponsoredOctets: 0n, chargeMicros: 0n },
      rejections: [],
      lateRecords: { records: 0, sponsoredOctets: 0n, chargeMicros: 0n },
      sourceGaps: [],
    });
  });

  test('it names no node and no log, and counts nothing of another sponsor', async () => {
    const json = statementJson(await readStatement(opened.store, 'chatter', '2026-10'));
    expect(json).not.toContain('gw-flows');
    expect(json).not.toMatch(/nodeId|firstOffset|lastOffset|lastLostOffset|"topic"/);
  });

  test('a restarted node has no gap of four billion', async () => {
    const numbers = [4_294_967_290, 4_294_967_295, 0, 3].map((number) => `(0, 0, ${number}, 0)`);
    const month = "'2026-12-01'";
    await opened.store.command(
      `INSERT INTO journal (kind, lane, topic, offset, booking_date, lane_sequence, seen_nodes, seen) SELECT 'batch', 'wrapped-0', 'wrapped', 3, ${month}, 1, ['wrapped'], [${numbers}]`,
    );
    await opened.store.command(
      'INSERT INTO journal (kind, lane, topic, offset, booking_date, period_start, sponsor_id, currency, node_id, local_sequence_number, sponsored_octets) ' +
        `SELECT 'charge', 'wrapped-0', 'wrapped', number, ${month}, ${month}, 'wrapped', 'USD', 'wrapped', [4294967290, 3][number + 1], 7 FROM numbers(2)`,
    );
    await bookEntry(opened.store, {
      number: 1,
      sponsorId: 'wrapped',
      amountMicros: 1,
      effectiveAt: '2026-12-01T00:00:00Z',
    });
    // Six of its numbers are missing, and four arrived, of which two are the sponsor's: 14 octets.
    const missing = await readMissingRecords(opened.store, await readCoverage(opened.store, 'wrapped', '2026-12'));
    expect(missing).toEqual({ records: 3, sponsoredOctets: 21n, chargeMicros: 0n });
  });

  test('a node that is identified by content has no gaps', async () => {
    const [month, node] = ["'2026-12-01'", "'192.0.2.1/content'"];
    await opened.store.command(
      `INSERT INTO journal (kind, lane, topic, offset, booking_date, lane_sequence, seen_nodes, seen) SELECT 'batch', 'content-0', 'content', 3, ${month}, 1, [${node}], [(0, 0, 5, 0), (0, 0, 99, 0)]`,
    );
    await opened.store.command(
      'INSERT INTO journal (kind, lane, topic, offset, booking_date, period_start, sponsor_id, currency, node_id, local_sequence_number, sponsored_octets) ' +
        `SELECT 'charge', 'content-0', 'content', number, ${month}, ${month}, 'content', 'USD', ${node}, [5, 99][number + 1], 7 FROM numbers(2)`,
    );
    await bookEntry(opened.store, {
      number: 1,
      sponsorId: 'content',
      amountMicros: 1,
      effectiveAt: '2026-12-01T00:00:00Z',
    });
    const missing = await readMissingRecords(opened.store, await readCoverage(opened.store, 'content', '2026-12'));
    expect(missing).toEqual({ records: 0, sponsoredOctets: 0n, chargeMicros: 0n });
  });

  test('corrections are listed separately, and their sum is in the totals', async () => {
    await bookCorrection(opened.store, { number: 1, month: '2026-10', factor: 50, bookedOn: '2026-11-20' });
    const { lines, corrections, totals, byDay } = await readStatement(opened.store, 'chatter', '2026-10');
    const lineMicros = lines[0].chargeMicros;
    expect(corrections).toEqual([
      {
        number: 1,
        name: 'prices of 1',
        who: 'Grace',
        why: 'price agreement',
        usageMonth: '2026-10',
        isAdjustment: false,
        rows: 4,
        sponsoredOctets: 0n,
        subscriberOctets: 0n,
        chargeMicros: expect.any(BigInt),
      },
    ]);
    expect(-corrections[0].chargeMicros * 2n - lineMicros).toBeLessThanOrEqual(2n);
    expect(totals.chargeMicros).toBe(lineMicros + corrections[0].chargeMicros);
    expect(byDay.reduce((sum, { chargeMicros }) => sum + chargeMicros, 0n)).toBe(totals.chargeMicros);
  });

  test('a month without rows is an empty statement, and carries the balance', async () => {
    await bookEntry(opened.store, { number: 2, amountMicros: 7_000_000, effectiveAt: '2026-10-02T00:00:00Z' });
    const charged = (await readStatement(opened.store, 'chatter', '2026-10')).totals.closingMicros;
    const november = (await readStatement(opened.store, 'chatter', '2026-11')).totals;
    expect(november.openingMicros).toBe(charged);
    const { lines, byDay, totals, proof } = await readStatement(opened.store, 'chatter', '2027-03');
    expect([lines, byDay, proof.leaves]).toEqual([[], [], 0]);
    expect(proof.merkleRoot).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(totals).toMatchObject({ totalMicros: 0n, total: '0.00', openingMicros: november.closingMicros });
    expect(totals.closingMicros).toBe(november.closingMicros);
  });

  test('bookings in two currencies are refused', async () => {
    await bookEntry(opened.store, { number: 3, amountMicros: 1, effectiveAt: '2027-01-02T00:00:00Z', currency: 'EUR' });
    await expect(readStatement(opened.store, 'chatter', '2027-01')).rejects.toThrow(
      /booked in EUR and its currency is USD/,
    );
  });

  test('so is an opening balance in another currency', async () => {
    await expect(readStatement(opened.store, 'chatter', '2027-02')).rejects.toThrow(
      /2027-02: is booked in EUR and its currency is USD/,
    );
    await opened.store.command(
      "INSERT INTO closings (number, sponsor_id, month, currency) SELECT 1, 'renamed', '2027-01-01', 'EUR'",
    );
    await bookEntry(opened.store, {
      number: 4,
      sponsorId: 'renamed',
      amountMicros: 1,
      effectiveAt: '2027-02-02T00:00:00Z',
    });
    await expect(readStatement(opened.store, 'renamed', '2027-02')).rejects.toThrow(/booked in EUR/);
  });

  test('a closing that differs from the store is reported', async () => {
    await opened.store.command(
      'INSERT INTO closings (number, sponsor_id, month, currency, cursors, last_entry, records, completeness) ' +
        `SELECT 2, 'chatter', '2026-10-01', 'USD', [('flows', 0, 2)], 2, 3, '{"sequenceGaps":[],"rejections":[],"lateRecords":{"records":0,"sponsoredOctets":"0","chargeMicros":"0"},"sourceGaps":[]}'`,
    );
    const read = readStatement(opened.store, 'chatter', '2026-10');
    await expect(read).rejects.toMatchObject({ code: 'store_broken' });
    await expect(read).rejects.toThrow(/records was 3 and is 2/);
  });
});

describe('lateness', () => {
  let opened: OpenedStore;
  let booker: Booker;

  beforeAll(async () => {
    opened = await OPEN_STORE.embedded();
    booker = new Booker(opened.store, 'flows');
  });
  afterAll(() => opened?.close());

  test('records booked after the settlement time of their plan in the newest catalogue are late', async () => {
    const settledAfter = (days: number) => {
      const { canonicalJson } = chatCatalogue();
      const document = JSON.parse(canonicalJson);
      document.plans[0].settlementDays = days;
      return catalogueOf(JSON.stringify(document));
    };
    const use = [{ at: '2026-10-04T00:00:00Z', octets: 1_048_576 }];
    await booker.book(use, '2026-11-10', { catalogue: settledAfter(10) });
    const late = async () => (await readStatement(opened.store, 'chatter', '2026-10')).completeness.lateRecords;
    expect(await late()).toMatchObject({ records: 0 });
    await booker.book(use, '2026-11-11', { catalogue: settledAfter(10) });
    expect(await late()).toMatchObject({ records: 1, sponsoredOctets: 1_048_576n });
    await booker.book(use, '2026-11-11', { catalogue: settledAfter(11) });
    expect(await late()).toMatchObject({ records: 0, settlements: [{ settledOn: '2026-11-11' }] });
    await booker.book(use, '2026-11-12', { catalogue: settledAfter(4) });
    expect(await late()).toMatchObject({ records: 4 });
  });
});
