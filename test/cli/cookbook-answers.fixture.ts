import type { Store } from '../../src/platform/clickhouse/store.ts';
import {
  type Booking,
  balancesOf,
  billOf,
  costs,
  DAY_MS,
  days,
  type Facts,
  firstPlace,
  groups,
  lastOf,
  percent,
  pick,
  quantile,
  type Row,
  readFacts,
  receivables,
  roundEven,
  same,
  sum,
  sumOf,
} from './cookbook-facts.fixture.ts';

export type Answer = Record<string, unknown>;

/** The days that the queries name. */
const TODAY = '2026-10-21';
const RECEIVABLES_DAY = '2026-11-20';

/**
 * What every query of the cookbook should give, by its title: computed row by row from the journal and the finance tables, in
 * whole numbers, without one of the store's sums or views.
 */
export async function cookbookAnswers(store: Store): Promise<Record<string, Answer[]>> {
  const facts = await readFacts(store);
  return { ...moneyAnswers(facts), ...planningAnswers(facts), ...usageAnswers(facts), ...completenessAnswers(facts) };
}

function moneyAnswers({ bookings, entries, closings }: Facts): Record<string, Answer[]> {
  const september = bookings.filter(({ month }) => month === '2026-09-01');
  const october = bookings.filter(({ month }) => month === '2026-10-01');
  const micros = { micros: sumOf('charge_micros') };
  const daily = groups(
    bookings.filter(({ booking_date }) => days(booking_date) > days(lastOf(bookings, 'booking_date')) - 30),
    ['sponsor_id', 'currency'],
    micros,
  );
  const perDay = new Map(daily.map((row) => [row.sponsor_id, Number(row.micros) / 30]));
  return {
    'Revenue by sponsor and day': groups(bookings, ['booking_date', 'sponsor_id', 'currency'], {
      revenue: (rows) => Number(sum(rows, 'charge_micros')) / 1_000_000,
    }),
    'Statement lines': groups(
      october.filter(({ sponsor_id }) => sponsor_id === 'lumen'),
      ['application_id', 'plan_id', 'plan_version', 'currency'],
      {
        records: sumOf('records'),
        sponsored_octets: sumOf('sponsored_octets'),
        subscriber_octets: sumOf('subscriber_octets'),
        charge_micros: sumOf('charge_micros'),
      },
    ),
    'Top applications': groups(october, ['application_id', 'sponsor_id', 'currency'], {
      ...micros,
      percent_of_currency: (rows) =>
        percent(sum(rows, 'charge_micros'), sum(october.filter(same(rows[0], 'currency')), 'charge_micros')),
    }),
    'Month over month': groups(bookings, ['month', 'sponsor_id', 'currency'], {
      ...micros,
      octets: sumOf('sponsored_octets'),
      micros_more: (rows) => more(rows, 'charge_micros', bookings),
      octets_more: (rows) => more(rows, 'sponsored_octets', bookings),
    }),
    'Price in effect': groups(bookings, ['plan_id', 'plan_version', 'currency'], {
      micros_per_mib: (rows) =>
        roundEven((Number(sum(rows, 'charge_micros')) / Number(sum(rows, 'sponsored_octets'))) * 1_048_576),
      sponsored_percent: (rows) =>
        percent(sum(rows, 'sponsored_octets'), sum(rows, 'sponsored_octets') + sum(rows, 'subscriber_octets')),
    }),
    'Balances and runway': balancesOf({ bookings, entries, closings }).map((balance) => {
      const microsADay = perDay.get(balance.sponsor_id) ?? 0;
      const lasts = balance.balance_micros > 0n && microsADay > 0;
      return {
        ...balance,
        micros_a_day: roundEven(microsADay),
        days_left: lasts ? Math.floor(Number(balance.balance_micros) / microsADay) : null,
      };
    }),
    'Account history': entries.map(({ effective_at, ...entry }) => ({
      ...pick(entry, ['number', 'sponsor_id', 'currency', 'kind', 'amount_micros', 'who', 'why']),
      effective_at,
      credited_so_far: sum(
        entries.filter(
          (other) => other.sponsor_id === entry.sponsor_id && Number(other.number) <= Number(entry.number),
        ),
        'amount_micros',
      ),
    })),
    Corrections: correctionAnswers(bookings),
    'Bills of closed months': closings.map(billOf),
    'What came after a closing': closings.map((closing) => {
      const now = sum(september.filter(same(closing, 'sponsor_id')), 'charge_micros');
      return {
        ...pick(closing, ['sponsor_id', 'month', 'closed_at', 'currency']),
        closed_micros: closing.charge_micros,
        micros_now: now,
        since_closing: now - BigInt(closing.charge_micros),
      };
    }),
  };
}

/** The fixture's correction, as it was booked. */
function correctionAnswers(bookings: readonly Booking[]): Answer[] {
  const [reversals, recharges] = ['reversal', 'recharge'].map((kind) =>
    bookings.filter(({ origin }) => origin === kind),
  );
  return [
    {
      number: 1,
      name: 'lumen-september',
      reason: 'wrong price in September',
      booked_by: 'rates',
      booked: '2026-10-05 10:00:00.000',
      records: reversals.length,
      reversed_micros: sum(reversals, 'charge_micros'),
      charged_micros: sum(recharges, 'charge_micros'),
      difference_micros: sum([...reversals, ...recharges], 'charge_micros'),
    },
  ];
}

function planningAnswers({ bookings, entries, closings, limits }: Facts): Record<string, Answer[]> {
  const from = (day: string) => (row: Row) => row.usage_date >= day;
  const before = (day: string) => (row: Row) => row.usage_date < day;
  const soFar = bookings.filter(from('2026-10-01')).filter(before(TODAY));
  const lastMonth = bookings.filter(from('2026-09-01')).filter(before('2026-09-21'));
  const week = soFar.filter(from('2026-10-14'));
  return {
    "Forecast to the month's end": groups(soFar, ['sponsor_id', 'currency'], {
      micros_so_far: sumOf('charge_micros'),
      micros_of_7_days: (rows) => sum(week.filter(same(rows[0], 'sponsor_id')), 'charge_micros'),
      // The 21st to the 31st.
      forecast_micros: (rows) =>
        sum(rows, 'charge_micros') + (sum(week.filter(same(rows[0], 'sponsor_id')), 'charge_micros') * 11n) / 7n,
    }),
    'Month to date': groups([...soFar, ...lastMonth], ['sponsor_id', 'application_id', 'currency'], {
      micros_this_month: (rows) => sum(rows.filter(from('2026-10-01')), 'charge_micros'),
      micros_last_month: (rows) => sum(rows.filter(before('2026-10-01')), 'charge_micros'),
      micros_more: (rows) =>
        sum(rows.filter(from('2026-10-01')), 'charge_micros') - sum(rows.filter(before('2026-10-01')), 'charge_micros'),
      percent_more: (rows) => {
        const [now, then] = [rows.filter(from('2026-10-01')), rows.filter(before('2026-10-01'))];
        const base = sum(then, 'charge_micros');
        return base === 0n ? null : percent(sum(now, 'charge_micros') - base, base);
      },
    }),
    'Headroom to the credit limit': limits.map(({ sponsor_id, currency, limit_micros }) => {
      const balance =
        balancesOf({ bookings, entries, closings }).find((row) => row.sponsor_id === sponsor_id)?.balance_micros ?? 0n;
      return {
        sponsor_id,
        currency,
        limit_micros,
        balance_micros: balance,
        headroom_micros: balance + BigInt(limit_micros),
        percent_used: percent(balance < 0n ? -balance : 0n, BigInt(limit_micros)),
      };
    }),
    'Receivables by age': receivables({ bookings, entries, closings }, RECEIVABLES_DAY),
  };
}

function usageAnswers({ charges, bookings }: Facts): Record<string, Answer[]> {
  const october = bookings.filter(({ month }) => month === '2026-10-01');
  const exhausted = bookings.filter(({ reason }) => reason === 'quota_reached' || reason === 'quota_exhausted');
  const reached = (rows: readonly Row[]) =>
    sum(
      rows.filter(({ reason }) => reason === 'quota_reached'),
      'records',
    );
  const afterTheEnd = (rows: readonly Row[]) =>
    sum(
      rows.filter(({ reason }) => reason === 'quota_exhausted'),
      'subscriber_octets',
    );
  const subscribersOf = (rows: readonly Row[]) => new Set(rows.map(({ subscriber }) => subscriber)).size;
  const partOf = (rows: readonly Row[], amount: string, keys: string[]) =>
    percent(sum(rows, amount), sum(bookings.filter(same(rows[0], ...keys)), amount));
  return {
    'Charges by day of use': groups(bookings, ['usage_date', 'sponsor_id', 'application_id', 'currency'], {
      records: (rows) => rows.filter(({ origin }) => origin === 'charge').length,
      sponsored_octets: sumOf('sponsored_octets'),
      charge_micros: sumOf('charge_micros'),
      last_booked: (rows) => lastOf(rows, 'booking_date'),
    }),
    'Content mix': groups(bookings, ['sponsor_id', 'month', 'content_type'], {
      octets: sumOf('sponsored_octets'),
      percent: (rows) => partOf(rows, 'sponsored_octets', ['sponsor_id', 'month']),
    }),
    'Evidence mix': groups(bookings, ['application_id', 'month', 'evidence'], {
      records: sumOf('records'),
      percent: (rows) => partOf(rows, 'records', ['application_id', 'month']),
    }),
    'Quota exhaustion': groups(bookings, ['plan_id', 'month'], {
      quotas_used_up: reached,
      octets_after_the_end: afterTheEnd,
      percent_of_octets: (rows) =>
        percent(afterTheEnd(rows), sum(rows, 'sponsored_octets') + sum(rows, 'subscriber_octets')),
    }),
    'Quota exhaustion by day': groups(exhausted, ['plan_id', 'usage_date'], {
      quotas_used_up: reached,
      octets_after_the_end: afterTheEnd,
    }),
    'Cost per subscriber': groups(bookings, ['sponsor_id', 'month', 'currency'], {
      subscribers: subscribersOf,
      micros: sumOf('charge_micros'),
      micros_per_subscriber: (rows) => roundEven(Number(sum(rows, 'charge_micros')) / subscribersOf(rows)),
      octets_per_subscriber: (rows) => roundEven(Number(sum(rows, 'sponsored_octets')) / subscribersOf(rows)),
    }),
    'Subscriber cost distribution': groups(october, ['sponsor_id', 'currency'], {
      subscribers: subscribersOf,
      micros_at_half_nine_tenths_99_percent: (rows) => [0.5, 0.9, 0.99].map((part) => quantile(costs(rows), part)),
      most_micros: (rows) => costs(rows).at(-1),
    }),
    'Top subscribers': groups(
      bookings
        .filter((row) => row.sponsor_id === 'lumen' && row.month === '2026-09-01')
        .map((row) => ({ ...row, pseudonym: row.subscriber })),
      ['pseudonym', 'currency'],
      {
        records: (rows) => rows.filter(({ origin }) => origin === 'charge').length,
        octets: sumOf('sponsored_octets'),
        micros: sumOf('charge_micros'),
      },
    )
      .sort((a, b) => Number(b.micros) - Number(a.micros) || (a.pseudonym < b.pseudonym ? -1 : 1))
      .slice(0, 20),
    'Hourly load': groups(
      charges
        .filter(({ period_start }) => period_start.startsWith('2026-10'))
        .map((row) => ({
          ...row,
          hour: String(Number(row.start_time.slice(11, 13))),
          octets: String(BigInt(row.uplink_octets) + BigInt(row.downlink_octets)),
        })),
      ['hour'],
      { records: (rows) => rows.length, octets: sumOf('octets') },
    ),
    'Late usage': groups(
      bookings
        .map((row) => ({ ...row, usage_month: row.month, booked_in: `${row.booking_date.slice(0, 7)}-01` }))
        .filter(({ origin, month, booked_in }) => origin === 'charge' && booked_in > month),
      ['usage_month', 'booked_in', 'sponsor_id', 'currency'],
      { records: sumOf('records'), octets: sumOf('sponsored_octets'), micros: sumOf('charge_micros') },
    ),
  };
}

function completenessAnswers(facts: Facts): Record<string, Answer[]> {
  const { charges, batches, outcomes, rejections, leakage, sequences } = facts;
  const inOctober = leakage.filter(({ booking_date }) => booking_date.startsWith('2026-10'));
  const ofTheWeek = leakage.filter((row) => row.booking_date >= '2026-10-14' && row.booking_date <= TODAY);
  const unsponsored = { unsponsored_records: sumOf('records'), unsponsored_octets: sumOf('octets') };
  // A stable sort: what is equal stays in the order of its keys.
  const byOctets = (a: Answer, b: Answer) => Number(b.unsponsored_octets) - Number(a.unsponsored_octets);
  return {
    'Completeness by day': groups(batches, ['booking_date'], {
      read: sumOf('records_read'),
      charged: sumOf('records_charged'),
      not_sponsored: sumOf('records_not_sponsored'),
      duplicate: sumOf('records_duplicate'),
      rejected: sumOf('records_rejected'),
      unaccounted: () => 0,
    }),
    'Why traffic was not sponsored': groups(
      outcomes.filter(({ is_unsponsored }) => is_unsponsored === 'true'),
      ['application_id', 'reason'],
      { records: sumOf('records'), octets: sumOf('octets') },
    ),
    Leakage: groups(inOctober, ['reason', 'application_id', 'remote_prefix', 'tag', 'node_id', 'is_remainder'], {
      ...unsponsored,
      last_seen: (rows) => lastOf(rows, 'booking_date'),
    })
      .sort(byOctets)
      .slice(0, 20),
    'New leakage': groups(
      ofTheWeek.filter(({ is_remainder }) => is_remainder === '0'),
      ['reason', 'remote_prefix', 'tag'],
      {
        ...unsponsored,
        first: (rows) => rows.map(({ booking_date }) => booking_date).sort()[0],
      },
    )
      .filter(({ first }) => first === TODAY)
      .map(({ first, ...row }): Answer => row)
      .sort(byOctets)
      .slice(0, 20),
    'Rejection reasons': groups(rejections, ['reason'], {
      records: (rows) => rows.length,
      first_day: (rows) => rows.map(({ booking_date }) => booking_date).sort()[0],
      last_day: (rows) => lastOf(rows, 'booking_date'),
      example: (rows) => firstPlace(rows).detail,
      example_place: (rows) => `${firstPlace(rows).topic}-${firstPlace(rows).partition}@${firstPlace(rows).offset}`,
    }),
    Suspense: groups(rejections, ['reason', 'topic'], {
      records: (rows) => rows.length,
      oldest: (rows) => rows.map(({ booking_date }) => booking_date).sort()[0],
      days_old: (rows) => Math.floor(Date.now() / DAY_MS) - days(rows.map((row) => row.booking_date).sort()[0]),
    }),
    'Gaps at risk': gapAnswers(charges, sequences),
    'Charged twice': chargedTwice(charges),
  };
}

/** By node what lies between two numbers that arrived, and what it may have held by the node's average. */
function gapAnswers(charges: readonly Row[], sequences: Facts['sequences']): Answer[] {
  return [...sequences].flatMap(([node_id, numbers]) => {
    const missing = numbers
      .slice(1)
      .flatMap((number, at) => (number > numbers[at] + 1 ? [number - numbers[at] - 1] : []));
    if (missing.length === 0) return [];
    const own = charges.filter((row) => row.node_id === node_id);
    const atRisk = (total: bigint) =>
      missing.reduce((all, count) => all + (total * BigInt(count)) / BigInt(numbers.length), 0n);
    const currencies = [...new Set(own.map(({ currency }) => currency))].sort();
    const micros = currencies.map((currency) => [
      currency,
      atRisk(
        sum(
          own.filter((row) => row.currency === currency),
          'charge_micros',
        ),
      ),
    ]);
    return [
      {
        node_id,
        gaps: missing.length,
        records: missing.reduce((all, count) => all + count, 0),
        octets: atRisk(sum(own, 'uplink_octets') + sum(own, 'downlink_octets')),
        micros: Object.fromEntries(micros),
      },
    ];
  });
}

/** Of the charges of one record all but the first, by its counter: they are what was charged too often. */
function chargedTwice(charges: readonly Row[]): Answer[] {
  const identity = ['local_sequence_number', 'start_time', 'end_time'];
  const content = [...identity, 'uplink_octets', 'downlink_octets', 'content_type'];
  const paid = charges.filter((row) => row.sponsored_octets !== '0' || row.charge_micros !== '0');
  const repeated = groups(paid, ['node_id', 'currency', ...content], {
    again: (rows) => rows.toSorted((a, b) => Number(a.used_octets_after) - Number(b.used_octets_after)).slice(1),
    place: (rows) => rows.map(({ topic, partition, offset }) => `${topic}-${partition} offset ${offset}`).sort()[0],
  }).filter(({ again }) => again.length > 0);
  const againOf = (rows: readonly Answer[]) => rows.flatMap(({ again }) => again as unknown as Row[]);
  return groups(repeated as unknown as Row[], ['node_id', 'currency'], {
    repeated: (rows) => againOf(rows).length,
    octets: (rows) => sum(againOf(rows), 'sponsored_octets'),
    micros: (rows) => sum(againOf(rows), 'charge_micros'),
    example: (rows) => rows.map(({ place }) => place).sort()[0],
  });
}

function more(rows: readonly Row[], amount: string, bookings: readonly Booking[]): bigint | null {
  const [{ month, sponsor_id, currency }] = rows;
  const earlier = bookings.filter(
    (row) => row.sponsor_id === sponsor_id && row.currency === currency && row.month < month,
  );
  const before = earlier.filter((row) => row.month === lastOf(earlier, 'month'));
  return before.length === 0 ? null : sum(rows, amount) - sum(before, amount);
}
