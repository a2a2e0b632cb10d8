import { literal, type Store } from '../../platform/clickhouse/store.ts';
import type { AuditFault } from './invariants.ts';
import { type CoveredCharges, type PostedTerms, type SecondTerms, secondMonthlyTerms } from './second-monthly-terms.ts';

interface ClosedMonth {
  closing: string;
  /** Number of the closing before it of the same sponsor; 0: none. */
  before: string;
  sponsor: string;
  terms: string;
  fees: string;
  rebates: string;
  shortfalls: string;
  /** What the balance moves by, less what its parts add up to. */
  rest: string;
}

/**
 * Checks what closings posted of monthly terms. Every amount follows from the terms and from the charges that the closing
 * covers, the row's sums are those of its terms, and its closing balance is that of its parts. Terms that a catalogue of the store
 * has under this name and version are as one of them has them.
 */
export async function* auditMonthlyTerms(store: Store): AsyncGenerator<AuditFault> {
  const months = await store.query<Omit<ClosedMonth, 'before'>>(
    'SELECT toString(closings.number) AS closing, sponsor_id AS sponsor, ' +
      'monthly_terms AS terms, toString(flat_fee_micros) AS fees, toString(volume_rebate_micros) AS rebates, ' +
      'toString(shortfall_micros) AS shortfalls, toString(closing_micros - opening_micros - credit_micros + charge_micros ' +
      '+ adjustment_micros + flat_fee_micros + shortfall_micros - volume_rebate_micros + tax_micros - rounding_micros) AS rest ' +
      'FROM closings ORDER BY closings.number',
  );
  // A sponsor's months are closed in order.
  const last = new Map<string, string>();
  for (const month of months) {
    const { closing, sponsor } = month;
    const closed = { ...month, before: last.get(sponsor) ?? '0' };
    last.set(sponsor, closing);
    for (const message of [...restFaults(closed), ...(await termsFaults(store, closed))]) {
      yield { invariant: 'monthly_terms', lane: '', laneSequence: 0, message: `closing ${closing}: ${message}` };
    }
  }
}

function restFaults({ rest }: ClosedMonth): string[] {
  return rest === '0' ? [] : [`the closing balance differs by ${rest} micro-units from the sum of its parts`];
}

async function termsFaults(store: Store, closed: ClosedMonth): Promise<string[]> {
  const posted = closed.terms === '' ? [] : (JSON.parse(closed.terms) as PostedTerms[]);
  const computed = secondMonthlyTerms(posted, posted.length === 0 ? new Map() : await readCovered(store, closed));
  const faults = posted.flatMap((terms, at) => amountFaults(terms, computed[at]));
  const sumOf = (amount: (terms: SecondTerms) => bigint) =>
    String(computed.reduce((sum, terms) => sum + amount(terms), 0n));
  const fees = String(posted.reduce((sum, { flatFeeMicros }) => sum + BigInt(flatFeeMicros), 0n));
  const sums = [
    ['flat_fee_micros', closed.fees, fees],
    ['volume_rebate_micros', closed.rebates, sumOf(({ rebateMicros }) => rebateMicros)],
    ['shortfall_micros', closed.shortfalls, sumOf(({ shortfallMicros }) => shortfallMicros)],
  ];
  const ofRow = sums.flatMap(([name, is, expected]) => (is === expected ? [] : [`${name} is ${is}, not ${expected}`]));
  return [...faults, ...ofRow, ...(await changedTerms(store, posted))];
}

function amountFaults(posted: PostedTerms, computed: SecondTerms): string[] {
  const names = Object.keys(computed) as (keyof SecondTerms)[];
  return names
    .filter((name) => posted[name] !== String(computed[name]))
    .map(
      (name) => `terms ${posted.id} version ${posted.version}: ${name} is ${posted[name]}, computed ${computed[name]}`,
    );
}

/**
 * Returns the charges that a closing covers, by application: all that was booked by its end for its month or earlier ones, less
 * the same for the closing before.
 */
async function readCovered(store: Store, closed: ClosedMonth): Promise<Map<string, CoveredCharges>> {
  const rows = await store.query<{ application: string; octets: string; micros: string }>(
    `SELECT application, toString(sum(part.1)) AS octets, toString(sum(part.2)) AS micros FROM (` +
      `${bookedBy(closed.closing, closed.sponsor, 1)} UNION ALL ${bookedBy(closed.before, closed.sponsor, -1)}) GROUP BY application`,
  );
  return new Map(
    rows.map(({ application, octets, micros }) => [application, { octets: BigInt(octets), micros: BigInt(micros) }]),
  );
}

function bookedBy(number: string, sponsorId: string, sign: 1 | -1): string {
  const of = (column: string) => `(SELECT max(${column}) FROM closings WHERE number = ${number})`;
  return (
    'SELECT application_id AS application, ' +
    `(${sign} * sum(sponsored_octets), ${sign} * sum(charge_micros)) AS part FROM bookings LEFT JOIN ` +
    `(SELECT cursor.1 AS topic, cursor.2 AS partition, cursor.3 AS last_offset FROM closings ARRAY JOIN cursors AS cursor WHERE number = ${number}) AS ends ` +
    `USING (topic, partition) WHERE sponsor_id = ${literal(sponsorId)} AND month <= ${of('closings.month')} AND ` +
    `(correction_number > 0 AND correction_number <= ${of('last_correction')} OR ` +
    `correction_number = 0 AND (topic, partition) IN (SELECT cursor.1, cursor.2 FROM closings ARRAY JOIN cursors AS cursor WHERE number = ${number}) ` +
    'AND offset <= last_offset) GROUP BY application_id'
  );
}

/** Returns terms that catalogues of the store have under their name and version, all of them otherwise. */
async function changedTerms(store: Store, posted: readonly PostedTerms[]): Promise<string[]> {
  if (posted.length === 0) return [];
  const names = posted.map(({ id, version }) => `(${literal(id)}, ${version})`).join(', ');
  const rows = await store.query<{ terms: string }>(
    "SELECT DISTINCT terms FROM (SELECT arrayJoin(JSONExtractArrayRaw(document, 'monthlyTerms')) AS terms FROM catalogues) " +
      `WHERE (JSONExtractString(terms, 'id'), JSONExtractInt(terms, 'version')) IN (${names})`,
  );
  const known = rows.map(({ terms }) => JSON.parse(terms) as CatalogueTerms);
  return posted.flatMap((terms) => {
    const same = known.filter(({ id, version }) => id === terms.id && version === terms.version);
    if (same.length === 0 || same.some((each) => agreed(each) === agreedAsPosted(terms))) return [];
    return [`terms ${terms.id} version ${terms.version} are otherwise in every catalogue of the store`];
  });
}

interface CatalogueTerms {
  id: string;
  version: number;
  application?: string;
  flatFee?: string;
  minimumCommitment?: string;
  volumeRebate?: { appliesTo: string; bands: { fromOctets: number; basisPoints: number }[] };
}

/** What both forms have, as text. */
function agreed({ application, flatFee, minimumCommitment, volumeRebate }: CatalogueTerms): string {
  const bands = volumeRebate?.bands.map(({ fromOctets, basisPoints }) => [String(fromOctets), basisPoints]);
  const [fee, committed] = [
    microsOf(flatFee ?? '0'),
    minimumCommitment === undefined ? null : microsOf(minimumCommitment),
  ];
  return JSON.stringify([application ?? null, fee, committed, volumeRebate?.appliesTo ?? null, bands ?? null]);
}

function agreedAsPosted(terms: PostedTerms): string {
  const { applicationId, flatFeeMicros, minimumCommitmentMicros, volumeRebate } = terms;
  const bands = volumeRebate?.bands.map(({ fromOctets, basisPoints }) => [fromOctets, basisPoints]);
  const amounts = [flatFeeMicros, minimumCommitmentMicros];
  return JSON.stringify([applicationId, ...amounts, volumeRebate?.appliesTo ?? null, bands ?? null]);
}

/** Returns decimal text in micro-units. */
function microsOf(text: string): string {
  const [units, decimals = ''] = text.split('.');
  return String(BigInt(units + decimals.padEnd(6, '0')));
}
