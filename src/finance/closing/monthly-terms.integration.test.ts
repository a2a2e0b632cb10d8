import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditFacts } from '../../assurance/audit/audit-facts.ts';
import { upgradedAt } from '../../assurance/audit/upgraded-store.fixture.ts';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { literal, type Store, StoreError } from '../../platform/clickhouse/store.ts';
import { creditedMicros } from '../accounts/entry-rows.ts';
import { Booker, bookCorrection, bookEntry, buyer, catalogueOf, INVOICING } from '../statements/finance.fixture.ts';
import { readStatement } from '../statements/statement.ts';
import { statementJson } from '../statements/statement-document.ts';
import { readRows, verified } from '../statements/verify.fixture.ts';
import { closeMonth } from './close-month.ts';
import { readCoverage } from './coverage.ts';
import { coveredCsv } from './covered-rows.ts';

const MIB = 1_048_576;
const NOW_MS = Date.UTC(2027, 2, 1);
const CURRENCIES = { usd: 'USD', jpy: 'JPY', kwd: 'KWD', clf: 'CLF', idle: 'EUR', late: 'USD' };
const IDS = Object.keys(CURRENCIES) as (keyof typeof CURRENCIES)[];
const plan = (app: string) =>
  `  - { id: plan-${app}, application: ${app}, version: 1, effectiveFrom: 2020-01-01T00:00:00Z, effectiveTo: null, period: month, ` +
  'timeZone: UTC, content: { text: 10000, video: 10000 }, quotaOctets: null, tiers: [{ upToOctets: null, pricePerMiB: "1.000001" }] }';

/** Terms by sponsor; `usd` has terms of an application, too. */
const TERMS = `monthlyTerms:
  - { id: usd, version: 1, sponsor: usd, effectiveFrom: 2026-10-01, effectiveTo: null, flatFee: "5.00", minimumCommitment: "20.00",
      volumeRebate: { appliesTo: charges_in_band, bands: [{ fromOctets: 0, basisPoints: 100 }, { fromOctets: ${8 * MIB}, basisPoints: 1000 }] } }
  - { id: mail, version: 3, sponsor: usd, application: mail, effectiveFrom: 2026-10-01, effectiveTo: 2026-11-01, minimumCommitment: "3.50",
      volumeRebate: { appliesTo: all_charges, bands: [{ fromOctets: ${2 * MIB}, basisPoints: 2500 }] } }
  - { id: jpy, version: 1, sponsor: jpy, effectiveFrom: 2026-10-01, effectiveTo: null, flatFee: "500",
      volumeRebate: { appliesTo: all_charges, bands: [{ fromOctets: 0, basisPoints: 3333 }] } }
  - { id: kwd, version: 1, sponsor: kwd, effectiveFrom: 2026-10-01, effectiveTo: null, minimumCommitment: "10.125" }
  - { id: clf, version: 1, sponsor: clf, effectiveFrom: 2026-10-01, effectiveTo: null, flatFee: "0.0001",
      volumeRebate: { appliesTo: charges_in_band, bands: [{ fromOctets: 1, basisPoints: 777 }] } }
  - { id: idle, version: 1, sponsor: idle, effectiveFrom: 2026-09-01, effectiveTo: null, flatFee: "7.00", minimumCommitment: "30.00" }
  - { id: late, version: 1, sponsor: late, effectiveFrom: 2026-10-01, effectiveTo: null, minimumCommitment: "12.00" }
`;
const catalogueWith = (terms: string) =>
  catalogueOf(`
sponsors:
${IDS.map((id) => `  - { id: ${id}, name: ${id}, currency: ${CURRENCIES[id]}, creditLimit: "1000", buyer: ${buyer('{ category: S, rate: "19" }')} }`).join('\n')}
applications:
${IDS.map((id) => `  - { id: app-${id}, sponsor: ${id}, tags: [${id.toUpperCase()}] }`).join('\n')}
  - { id: mail, sponsor: usd, tags: [MAIL] }
plans:
${[...IDS.map((id) => `app-${id}`), 'mail'].map(plan).join('\n')}
${terms}${INVOICING}`);
const CATALOGUE = catalogueWith(TERMS);

describe('monthly terms', () => {
  let opened: OpenedStore;
  let booker: Booker;
  const use = (at: string, tag: string, mebibytes: number) => ({
    at,
    octets: mebibytes * MIB,
    tag: tag.toUpperCase(),
    msisdn: `9990000000${String(tag.length).padStart(2, '0')}`,
  });
  const close = (sponsorId: string, month: string, { who = 'Ada', store = opened.store } = {}) =>
    closeMonth(store, { sponsorId, month, who, nowMs: NOW_MS });
  const closed = async (sponsorId: string, month: string) => {
    const outcome = await close(sponsorId, month);
    expect(outcome).toMatchObject({ outcome: 'closed' });
    return readStatement(opened.store, sponsorId, month);
  };
  const balance = async (sponsorId: string) => {
    const [row] = await opened.store.query<{ micros: string }>(
      `SELECT toString(sum(balance_micros)) AS micros FROM account_balances WHERE sponsor_id = ${literal(sponsorId)}`,
    );
    return BigInt(row.micros);
  };
  const postings = (sponsorId: string) =>
    opened.store.query<{ kind: string; micros: string; key: string }>(
      'SELECT kind, toString(amount_micros) AS micros, idempotency_key AS key FROM account_postings ' +
        `WHERE sponsor_id = ${literal(sponsorId)} AND startsWith(idempotency_key, 'closing') ORDER BY number, kind`,
    );
  const audited = async () => {
    const faults: string[] = [];
    for await (const { message } of auditFacts(opened.store)) faults.push(message);
    return faults;
  };

  beforeAll(async () => {
    opened = await OPEN_STORE.embedded();
    // Entries and corrections of these tests have no digests.
    await upgradedAt(opened.store, '2099-01-01T00:00:00Z');
    booker = new Booker(opened.store, 'flows');
    const uses = [
      use('2026-10-05', 'usd', 9),
      use('2026-10-06', 'mail', 3),
      ...['jpy', 'kwd', 'clf', 'late'].map((id) => use('2026-10-07', id, 10)),
    ];
    await booker.book(uses, '2026-11-01', { catalogue: CATALOGUE });
  });
  afterAll(() => opened?.close());

  test('an open month bills its terms as if it were closed now, and posts nothing', async () => {
    const before = await balance('usd');
    const { totals, due, monthlyTerms, isOpeningFinal } = await readStatement(opened.store, 'usd', '2026-10');
    expect(isOpeningFinal).toBe(true);
    expect(totals.closingMicros).toBe(before);
    expect(totals.totalMicros).toBe(totals.chargeMicros + (totals.monthlyTermsMicros ?? 0n));
    expect(monthlyTerms?.map(({ id, version }) => [id, version])).toEqual([
      ['mail', 3],
      ['usd', 1],
    ]);
    // 3 MiB of mail, 25 % off, are 1.249999 short of 3.50. Of the other 11.250010, 4 of 12 MiB are 10 % off and 8 are 1 % off.
    expect(monthlyTerms).toMatchObject([
      { sponsoredOctets: 3_145_728n, chargeMicros: 3_000_003n, rebateMicros: 750_001n, shortfallMicros: 1_249_998n },
      { chargeMicros: 11_250_011n, rebateMicros: 450_000n, countedMicros: 12_050_009n, shortfallMicros: 7_949_991n },
    ]);
    // 12.000012 of usage, 1.200001 of rebates, 9.199989 of shortfalls, and the fee.
    expect(due?.taxableMicros).toBe(25_000_000n);
    expect(due?.taxMicros).toBe(4_750_000n);
  });

  test('closing posts fees, rebates and shortfalls once, and the balance is that of the statement', async () => {
    const statement = await closed('usd', '2026-10');
    expect(await balance('usd')).toBe(statement.totals.closingMicros);
    expect(statement.totals.closingMicros).toBe(-29_750_000n);
    expect(statement.due?.amountDueMicros).toBe(29_750_000n);
    expect(await postings('usd')).toEqual([
      { kind: 'flat-fee', micros: '-5000000', key: 'closing 1 flat-fee' },
      { kind: 'shortfall', micros: '-9199989', key: 'closing 1 shortfall' },
      { kind: 'tax', micros: '-4750000', key: 'closing 1 tax' },
      { kind: 'volume-rebate', micros: '1200001', key: 'closing 1 volume-rebate' },
    ]);
    const credited = await creditedMicros(opened.store);
    expect(credited('usd', 'USD')).toBe(statement.totals.closingMicros + statement.totals.chargeMicros);
    expect(await close('usd', '2026-10')).toMatchObject({ outcome: 'already_closed' });
    expect(await postings('usd')).toHaveLength(4);
    expect(await audited()).toEqual([]);
  });

  test('a closed statement verifies with its rows and without them, and a forged amount does not', async () => {
    const coverage = await readCoverage(opened.store, 'usd', '2026-10');
    const statement = await readStatement(opened.store, 'usd', '2026-10');
    const chunks: Uint8Array[] = [];
    for await (const chunk of coveredCsv(opened.store, coverage, statement.proof.leaves)) chunks.push(chunk);
    const { rows } = await readRows(Buffer.concat(chunks).toString());
    const { faults, unproven } = await verified(statement, rows);
    expect(faults).toEqual([]);
    const fields = unproven.map(({ field }) => field);
    expect(fields).toContain('monthlyTerms[].flatFeeMicros');
    expect(fields).not.toContain('monthlyTerms[].chargeMicros');
    const withoutRows = await verified(statement, null);
    expect(withoutRows.faults).toEqual([]);
    expect(withoutRows.unproven.map(({ field }) => field)).toContain('monthlyTerms[].chargeMicros');
    for (const name of [
      'chargeMicros',
      'sponsoredOctets',
      'rebateMicros',
      'shortfallMicros',
      'amountMicros',
    ] as const) {
      const forged = structuredClone(statement);
      for (const terms of forged.monthlyTerms ?? []) terms[name] += 1n;
      expect((await verified(forged, rows)).faults.join(), name).toContain(`monthlyTerms[0].${name}`);
    }
  });

  test('a later catalogue changes nothing of a closed month, and its terms apply to open ones', async () => {
    const before = statementJson(await readStatement(opened.store, 'usd', '2026-10'));
    const dearer = catalogueWith(
      TERMS.replace('flatFee: "5.00"', 'flatFee: "6.00"').replace('id: usd, version: 1', 'id: usd, version: 2'),
    );
    await booker.book([use('2026-11-05', 'usd', 1)], '2026-11-06', { catalogue: dearer });
    expect(statementJson(await readStatement(opened.store, 'usd', '2026-10'))).toBe(before);
    const november = await readStatement(opened.store, 'usd', '2026-11');
    expect(november.monthlyTerms).toMatchObject([{ id: 'usd', version: 2, flatFeeMicros: 6_000_000n }]);
    await booker.book([use('2026-11-05', 'jpy', 1)], '2026-11-07', { catalogue: CATALOGUE });
  });

  test.each(['jpy', 'kwd', 'clf'])('a month in %s is billed in whole units of the currency', async (id) => {
    const { due, monthlyTerms, totals, sponsor } = await closed(id, '2026-10');
    const unit = 10n ** BigInt(6 - sponsor.minorDigits);
    expect(monthlyTerms).toHaveLength(1);
    for (const micros of [due?.taxableMicros, due?.taxMicros, due?.amountDueMicros, totals.closingMicros]) {
      expect((micros ?? 1n) % unit).toBe(0n);
    }
    expect(await balance(id)).toBe(totals.closingMicros - (id === 'jpy' ? 1_000_001n : 0n));
    expect(await audited()).toEqual([]);
  });

  test('a suspended sponsor without any usage pays fee and commitment, from the first month of its terms on', async () => {
    await bookEntry(opened.store, {
      number: 1,
      sponsorId: 'idle',
      amountMicros: 0,
      kind: 'suspension',
      currency: 'EUR',
      effectiveAt: '2026-10-02T00:00:00Z',
    });
    expect((await readStatement(opened.store, 'idle', '2026-10')).isOpeningFinal).toBe(false);
    expect((await readStatement(opened.store, 'idle', '2026-09')).isOpeningFinal).toBe(true);
    const tooEarly = await close('idle', '2026-10');
    expect(tooEarly).toMatchObject({
      outcome: 'refused',
      reason: 'earlier_month_open',
      message: expect.stringMatching(
        /2026-09 of idle is open: .*Its monthly terms apply from then on; .*effectiveFrom/,
      ),
    });
    for (const month of ['2026-09', '2026-10', '2026-11']) {
      const { lines, due, monthlyTerms, invoice } = await closed('idle', month);
      expect(lines).toEqual([]);
      expect(monthlyTerms).toMatchObject([{ flatFeeMicros: 7_000_000n, shortfallMicros: 30_000_000n }]);
      expect(due).toMatchObject({ taxableMicros: 37_000_000n, taxMicros: 7_030_000n, amountDue: '44.03' });
      expect(invoice?.number).not.toBeNull();
    }
    expect(await balance('idle')).toBe(-3n * 44_030_000n);
  });

  test('what comes after a closing counts in the month that bills it', async () => {
    const october = await closed('late', '2026-10');
    expect(october.monthlyTerms).toMatchObject([{ countedMicros: 10_000_010n, shortfallMicros: 1_999_990n }]);
    const before = statementJson(october);
    await booker.book([use('2026-10-20', 'late', 4), use('2026-11-08', 'late', 5)], '2026-12-01', {
      catalogue: CATALOGUE,
    });
    await bookCorrection(opened.store, {
      number: 1,
      sponsorId: 'late',
      month: '2026-10',
      factor: 50,
      bookedOn: '2026-12-02',
    });
    expect(statementJson(await readStatement(opened.store, 'late', '2026-10'))).toBe(before);
    // 4 MiB late, 5 of the month, and half of 14 MiB taken back: 2 MiB of charges towards the commitment.
    const { monthlyTerms, totals } = await closed('late', '2026-11');
    expect(totals.chargeMicros + totals.adjustmentMicros).toBe(monthlyTerms?.[0].countedMicros);
    expect(monthlyTerms).toMatchObject([{ countedMicros: 2_000_002n, shortfallMicros: 9_999_998n }]);
    expect(await audited()).toEqual([]);
  });

  test('of closings at once, and of a process that dies around its insert, one posts', async () => {
    const racers = await Promise.all(['Ada', 'Bob', 'Cem'].map((who) => close('jpy', '2026-11', { who })));
    expect(racers.filter(({ outcome }) => outcome === 'closed')).toHaveLength(1);
    const down = new StoreError('store_unreachable', 'down', { canRetry: false });
    const dying = (lands: boolean): Store => ({
      ...opened.store,
      query: opened.store.query,
      async insertBlock(...args) {
        if (lands) await opened.store.insertBlock(...args);
        throw down;
      },
    });
    const before = await balance('jpy');
    await expect(close('jpy', '2026-12', { store: dying(false) })).rejects.toBe(down);
    expect(await balance('jpy')).toBe(before);
    await close('jpy', '2026-12', { store: dying(true) }).catch(() => {});
    const posted = await balance('jpy');
    // 500 and tax of 95.
    expect(posted).toBe(before - 595_000_000n);
    expect(await close('jpy', '2026-12', { who: 'Bob' })).toMatchObject({ outcome: 'already_closed' });
    expect(await balance('jpy')).toBe(posted);
    expect((await postings('jpy')).filter(({ kind }) => kind === 'flat-fee')).toHaveLength(3);
    expect(await audited()).toEqual([]);
  });

  test('the audit names amounts that do not follow from the terms, and terms that no catalogue has', async () => {
    const alter = (change: string, sponsorId: string) =>
      opened.store.command(
        `ALTER TABLE closings UPDATE ${change} WHERE sponsor_id = '${sponsorId}' AND month = '2026-10-01' SETTINGS mutations_sync = 2`,
      );
    await alter('shortfall_micros = shortfall_micros + 1', 'usd');
    await alter(`monthly_terms = replaceOne(monthly_terms, '"flatFeeMicros":"0"', '"flatFeeMicros":"3"')`, 'kwd');
    await alter(`monthly_terms = replaceOne(monthly_terms, '"basisPoints":3333', '"basisPoints":3334')`, 'jpy');
    const faults = await audited();
    expect(faults).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^closing 1: the closing balance differs by 1 micro-units/),
        expect.stringMatching(/^closing 1: shortfall_micros is 9199990, not 9199989/),
        expect.stringMatching(/^closing \d+: terms kwd version 1: amountMicros is \d+, computed \d+/),
        expect.stringMatching(/^closing \d+: terms kwd version 1 are otherwise in every catalogue of the store/),
        expect.stringMatching(/^closing \d+: terms jpy version 1: rebateMicros is \d+, computed \d+/),
      ]),
    );
    await expect(readStatement(opened.store, 'jpy', '2026-10')).rejects.toThrow(/the monthly terms were .* and are /);
  });
});
