import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditFacts } from '../../assurance/audit/audit-facts.ts';
import type { SecondCharge } from '../../assurance/audit/second-computation.ts';
import { upgradedAt } from '../../assurance/audit/upgraded-store.fixture.ts';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { literal } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { Rules } from '../../rating/rules.ts';
import { closeMonth } from '../closing/close-month.ts';
import { type Month, monthAfter, monthBefore, monthOf, startOfMonthMs } from '../month.ts';
import { catalogueOf } from '../statements/finance.fixture.ts';
import { readStatement } from '../statements/statement.ts';
import type { Statement } from '../statements/statement-document.ts';
import { recordsOf, YearBooker } from '../year.fixture.ts';
import { bookCorrection } from './book-correction.ts';
import { differenceOf } from './difference.ts';
import { ALL_PERIODS } from './rating.fixture.ts';
import { rerate } from './rerate.ts';
import { expectedTermsMicros, TERMS, yamlOf } from './year-terms.fixture.ts';

const SEED = 61;
const SPONSORS = 12;
/** `YEAR_RECORDS` sets another size, and reads every statement of the year instead of a sample. */
const READ_EVERY = process.env.YEAR_RECORDS === undefined ? 4 : 1;
const RECORDS_PER_MONTH = Math.round(Number(process.env.YEAR_RECORDS ?? 12_000) / 12);
/** A large year takes its time. */
const LIMIT_MS = Math.max(600_000, RECORDS_PER_MONTH * 12);
const YEAR = Array.from({ length: 12 }, (_, at) => `2026-${String(at + 1).padStart(2, '0')}`);
const DAY_MS = 86_400_000;
const CURRENCIES = ['USD', 'JPY', 'KWD', 'CLF'];
const MINOR_DIGITS: Record<string, number> = { USD: 2, JPY: 0, KWD: 3, CLF: 4 };
/** One of each currency; a year of another size re-rates all. */
const RERATED = process.env.YEAR_RECORDS === undefined ? 4 : SPONSORS;

const idOf = (at: number) => `s${String(at + 1).padStart(2, '0')}`;
const SPONSOR_IDS = Array.from({ length: SPONSORS }, (_, at) => idOf(at));
const currencyOf = (sponsorId: string) => CURRENCIES[SPONSOR_IDS.indexOf(sponsorId) % CURRENCIES.length];

/** Periods, time zones, quotas, shares and tiers of all kinds; every fourth plan has a second version from July on. */
const CATALOGUE_TEXT = `
sponsors:
${SPONSOR_IDS.map((id) => `  - { id: ${id}, name: Sponsor ${id}, currency: ${currencyOf(id)}, creditLimit: "1000000" }`).join('\n')}
applications:
${SPONSOR_IDS.map((id) => `  - { id: app-${id}, sponsor: ${id}, match: tag, tags: [T-${id}] }`).join('\n')}
plans:
${SPONSOR_IDS.flatMap((id, at) =>
  (at % 4 === 0 ? [1, 2] : [1]).map(
    (version) => `  - id: plan-${id}
    application: app-${id}
    version: ${version}
    effectiveFrom: ${version === 1 ? '2020-01-01T00:00:00Z' : '2026-07-01T00:00:00Z'}
    effectiveTo: ${at % 4 === 0 && version === 1 ? '2026-07-01T00:00:00Z' : 'null'}
    period: ${['day', 'week', 'month'][at % 3]}
    timeZone: ${['UTC', 'Asia/Tokyo', 'America/New_York', 'Europe/Berlin', 'Asia/Kathmandu'][at % 5]}
    content: { text: 10000, voice: 5000, image: 3333, video: ${10_000 - at}, other: 10000, unknown: 7777 }
    quotaOctets: ${[null, 9_000_000, 200_000_000][at % 3]}
    tiers: [{ upToOctets: ${1_000_000 + at}, pricePerMiB: "${version}.123457" }, { upToOctets: ${2 ** 24}, pricePerMiB: "0.9" }, { upToOctets: null, pricePerMiB: "0.054321" }]`,
  ),
).join('\n')}
monthlyTerms:
${Object.entries(TERMS)
  .flatMap(([sponsor, all]) => all.map((terms) => `  - ${yamlOf(sponsor, terms)}`))
  .join('\n')}
`;
const CATALOGUE = catalogueOf(CATALOGUE_TEXT);
/** Every price, quota and share changes; the same content is covered. */
const OTHER_TERMS = catalogueOf(
  CATALOGUE_TEXT.replaceAll('.123457"', '.987653"')
    .replaceAll('"0.9"', '"0.777777"')
    .replaceAll('quotaOctets: 200000000', 'quotaOctets: 300000000')
    .replaceAll('quotaOctets: 9000000', 'quotaOctets: 8000001')
    .replaceAll('image: 3333', 'image: 6667'),
);

type LineName = Pick<Statement['lines'][number], 'applicationId' | 'planId' | 'planVersion' | 'usageMonth'>;

/** The sums of rows in one line. */
interface Sums {
  records: number;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
  chargeMicros: bigint;
}

const NOTHING: Sums = { records: 0, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };

let opened: OpenedStore;
/** Halves of months that are booked so far. */
let halves = 0;
const closings: { sponsorId: string; month: Month; afterHalf: number }[] = [];
/** Charges by line and the half of a month that they were booked in. */
const charged = new Map<string, Sums & { line: LineName; sponsorId: string; half: number }>();
const entries: { sponsorId: string; month: Month; amountMicros: bigint; half: number }[] = [];

/** Computes every charge of the year a second time, in big integers, while the engine books it. */
beforeAll(async () => {
  console.log(`a year of seed ${SEED}`);
  opened = await OPEN_STORE.embedded();
  const booker = new YearBooker(opened.store, CATALOGUE);
  for (const [at, month] of YEAR.entries()) {
    const messages = recordsOf(CATALOGUE, month, SEED * 100 + at, RECORDS_PER_MONTH);
    for (const half of [messages.slice(0, messages.length / 2), messages.slice(messages.length / 2)]) {
      halves++;
      await booker.book(half, startOfMonthMs(month) + halves, addCharge);
      await bookEntries(month);
      await closeDueMonths(month);
    }
  }
}, LIMIT_MS);
afterAll(() => opened?.close());

function addCharge(charge: SecondCharge, octets: bigint): void {
  const { sponsorId, applicationId, planId, planVersion, periodStart } = charge;
  const line = { applicationId, planId, planVersion, usageMonth: monthOf(periodStart * DAY_MS) };
  const key = `${halves} ${lineKey(line)}`;
  let sums = charged.get(key);
  if (sums === undefined) {
    sums = { line, sponsorId, half: halves, ...NOTHING };
    charged.set(key, sums);
  }
  addTo(sums, {
    records: 1,
    sponsoredOctets: charge.sponsoredOctets,
    subscriberOctets: octets - charge.sponsoredOctets,
    chargeMicros: charge.chargeMicros,
  });
}

function addTo(sums: Sums, more: Sums): void {
  sums.records += more.records;
  sums.sponsoredOctets += more.sponsoredOctets;
  sums.subscriberOctets += more.subscriberOctets;
  sums.chargeMicros += more.chargeMicros;
}

/** Books two payments of each sponsor a month, one of them for the month before. */
async function bookEntries(month: Month): Promise<void> {
  const effective = halves % 2 === 0 ? month : monthBefore(month);
  const rows = SPONSOR_IDS.map((sponsorId) => {
    const number = entries.length + 1;
    const amountMicros = BigInt(number) * 1_234_567n;
    entries.push({ sponsorId, month: effective, amountMicros, half: halves });
    const instant = `parseDateTime64BestEffort('${effective}-17T00:00:00Z', 3, 'UTC')`;
    return `SELECT ${number}, 'key ${number}', ${literal(sponsorId)}, '${currencyOf(sponsorId)}', 'payment', ${amountMicros}, ${instant}, ${instant}, 'Ada', 'paid'`;
  });
  await opened.store.command(
    'INSERT INTO account_entries (number, idempotency_key, sponsor_id, currency, kind, amount_micros, effective_at, booked_at, who, why) ' +
      rows.join(' UNION ALL '),
  );
}

/** Closes two sponsors in the middle of the next month, two at the end of each quarter, and leaves eight open. */
async function closeDueMonths(month: Month): Promise<void> {
  const isQuarter = Number(month.slice(5)) % 3 === 0;
  const due = SPONSOR_IDS.filter((_, at) => (at < 2 ? halves % 2 === 1 : at < 4 && isQuarter && halves % 2 === 0));
  for (const sponsorId of due) {
    for (let next = nextToClose(sponsorId); next < month; next = monthAfter(next)) {
      // Then the weeks that begin in the month before are over in every zone.
      const nowMs = startOfMonthMs(month) + 14 * DAY_MS;
      const closed = await closeMonth(opened.store, { sponsorId, month: next, who: 'Ada', nowMs });
      expect(closed.outcome).toBe('closed');
      closings.push({ sponsorId, month: next, afterHalf: halves });
    }
  }
}

function nextToClose(sponsorId: string): Month {
  const last = closings.findLast((closing) => closing.sponsorId === sponsorId);
  return last === undefined ? firstMonth(sponsorId) : monthAfter(last.month);
}

/** Of the bookings so far. */
function firstMonth(sponsorId: string): Month {
  const months = [
    ...chargesOf(sponsorId).map(({ line }) => line.usageMonth),
    ...entries.filter((entry) => entry.sponsorId === sponsorId).map(({ month }) => month),
  ];
  return months.sort()[0];
}

function chargesOf(sponsorId: string) {
  return [...charged.values()].filter((sums) => sums.sponsorId === sponsorId);
}

/** Returns the first month that was open when something of a month was booked. */
function statementMonth(sponsorId: string, month: Month, half: number): Month {
  const closed = closings.filter((closing) => closing.sponsorId === sponsorId && closing.afterHalf < half);
  const last = closed.at(-1)?.month;
  return last === undefined || month > last ? month : monthAfter(last);
}

/** Returns the months of a sponsor with bookings, and those between. */
function monthsOf(sponsorId: string): Month[] {
  const first = closings.find((closing) => closing.sponsorId === sponsorId)?.month ?? firstMonth(sponsorId);
  const months = [first];
  while (months[months.length - 1] < '2027-01') months.push(monthAfter(months[months.length - 1]));
  return months;
}

/** Returns what the lines of a month must add up to, by plan version and usage month. */
function expectedLines(sponsorId: string, month: Month): Map<string, Sums> {
  const lines = new Map<string, Sums>();
  for (const { line, half, ...more } of chargesOf(sponsorId)) {
    if (statementMonth(sponsorId, line.usageMonth, half) !== month) continue;
    const sums = lines.get(lineKey(line)) ?? { ...NOTHING };
    addTo(sums, more);
    lines.set(lineKey(line), sums);
  }
  return lines;
}

function expectedCredits(sponsorId: string, month: Month): bigint {
  return entries
    .filter((entry) => entry.sponsorId === sponsorId && statementMonth(sponsorId, entry.month, entry.half) === month)
    .reduce((sum, { amountMicros }) => sum + amountMicros, 0n);
}

function lineKey({ applicationId, planId, planVersion, usageMonth }: LineName): string {
  return [applicationId, planId, planVersion, usageMonth].join(' ');
}

/** Returns micro-units in whole units of the currency, half away from zero: the remainder after a closing. */
function roundedTo(micros: bigint, digits: number): bigint {
  const step = 10n ** BigInt(6 - digits);
  const magnitude = micros < 0n ? -micros : micros;
  const rounded = magnitude + step / 2n - ((magnitude + step / 2n) % step);
  return micros < 0n ? -rounded : rounded;
}

/** Formats half away from zero; every total of the year is above 0. */
function shown(micros: bigint, digits: number): string {
  const step = 10n ** BigInt(6 - digits);
  const text = String((micros + step / 2n) / step).padStart(digits + 1, '0');
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

test.each(SPONSOR_IDS)(
  'the statements of %s equal a second computation from the records',
  async (sponsorId) => {
    let openingMicros = 0n;
    for (const [at, month] of monthsOf(sponsorId).entries()) {
      const lines = expectedLines(sponsorId, month);
      const usageMicros = [...lines.values()].reduce((sum, { chargeMicros }) => sum + chargeMicros, 0n);
      const termsMicros = expectedTermsMicros(sponsorId, month, lines);
      const totalMicros = usageMicros + termsMicros;
      const creditMicros = expectedCredits(sponsorId, month);
      const isClosed = closings.some((closing) => closing.sponsorId === sponsorId && closing.month === month);
      const inUnits = (micros: bigint) => (isClosed ? roundedTo(micros, MINOR_DIGITS[currencyOf(sponsorId)]) : micros);
      const postedMicros = isClosed ? totalMicros : usageMicros;
      const closingMicros = inUnits(openingMicros + creditMicros) - inUnits(postedMicros);
      if (at % READ_EVERY === SPONSOR_IDS.indexOf(sponsorId) % READ_EVERY) {
        const statement = await readStatement(opened.store, sponsorId, month);
        expect(new Map(statement.lines.map((line) => [lineKey(line), sumsOf(line)]))).toEqual(lines);
        const total = shown(totalMicros, MINOR_DIGITS[currencyOf(sponsorId)]);
        expect(statement.totals).toMatchObject({ totalMicros, total, openingMicros, creditMicros, closingMicros });
        for (const { tiers, roundingMicros, chargeMicros } of statement.lines) {
          expect(tiers.reduce((sum, { amountMicros }) => sum + amountMicros, roundingMicros)).toBe(chargeMicros);
        }
      }
      openingMicros = closingMicros;
    }
    const [{ micros }] = await opened.store.query<{ micros: string }>(
      `SELECT toString(balance_micros) AS micros FROM account_balances WHERE sponsor_id = '${sponsorId}'`,
    );
    expect(openingMicros).toBe(BigInt(micros));
  },
  LIMIT_MS,
);

test.each(SPONSOR_IDS.slice(-RERATED))(
  're-rating %s forward and back returns its balance, and in between moves it by the amount of the dry run',
  async (sponsorId) => {
    const balance = async () => {
      const [{ micros }] = await opened.store.query<{ micros: string }>(
        `SELECT toString(balance_micros) AS micros FROM account_balances WHERE sponsor_id = '${sponsorId}'`,
      );
      return BigInt(micros);
    };
    const book = async (catalogue: Catalogue, name: string) => {
      const request = { name, who: 'Ada', why: 'a test', sponsorId, range: ALL_PERIODS };
      return bookCorrection(opened.store, new Rules(catalogue), request, systemClock);
    };
    const first = await balance();
    const dryRun = await rerate(opened.store, new Rules(OTHER_TERMS), { sponsorId, range: ALL_PERIODS });
    const dearer = dryRun.lines().reduce((sum, line) => sum + differenceOf(line).chargeMicros, 0n);
    expect(dryRun.changed).toBeGreaterThan(0);
    expect(dearer).not.toBe(0n);

    const forward = await book(OTHER_TERMS, `${sponsorId} forward`);
    expect(forward).toMatchObject({ outcome: 'booked', changes: dryRun.changed });
    expect(await balance()).toBe(first - dearer);
    const back = await book(CATALOGUE, `${sponsorId} back`);
    expect(back).toMatchObject({ outcome: 'booked', changes: dryRun.changed });
    expect(await balance()).toBe(first);
    expect(await book(CATALOGUE, `${sponsorId} again`)).toMatchObject({ outcome: 'unchanged' });
  },
  LIMIT_MS,
);

test('what the closings posted equals a second computation in the audit', async () => {
  // The account entries of this test have no digests.
  await upgradedAt(opened.store, '2099-01-01T00:00:00Z');
  for await (const fault of auditFacts(opened.store)) expect(fault).toBeUndefined();
});

test('the year has every currency, late records, adjustments, and months closed and open', async () => {
  const all = SPONSOR_IDS.flatMap(chargesOf);
  const count = (charges: typeof all) => charges.reduce((sum, { records }) => sum + records, 0);
  expect(count(all)).toBeGreaterThan(RECORDS_PER_MONTH * 12 * 0.8);
  const late = all.filter(
    ({ sponsorId, line, half }) => statementMonth(sponsorId, line.usageMonth, half) !== line.usageMonth,
  );
  expect(count(late)).toBeGreaterThan(RECORDS_PER_MONTH * 0.06);
  expect(closings.filter(({ month }) => month.startsWith('2026')).length).toBe(4 * 11);
});

function sumsOf({ records, sponsoredOctets, subscriberOctets, chargeMicros }: Statement['lines'][number]): Sums {
  return { records, sponsoredOctets, subscriberOctets, chargeMicros };
}
