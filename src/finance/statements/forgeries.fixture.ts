import { type ExportedRow, rowLeaf } from './exported-row.ts';
import { MerkleTree } from './merkle.ts';
import type { FileRow } from './rows-file.ts';
import { digestOfBatches, statementDue, tierAmountMicros, totalsOf } from './statement-arithmetic.ts';
import type { Statement } from './statement-document.ts';
import type { BookedStatement } from './verify.fixture.ts';

export interface Forged {
  statement: Statement;
  rows: FileRow[];
}

export function copyOf({ statement, rows }: BookedStatement): Forged {
  return structuredClone({ statement, rows });
}

function rootOf(rows: readonly FileRow[]): string {
  const tree = new MerkleTree();
  for (const { row } of rows) tree.add(rowLeaf(row));
  return Buffer.from(tree.root()).toString('hex');
}

/** Recomputes totals and root, as a careful forger does. */
export function recomputeDerived({ statement, rows }: Forged): void {
  const { openingMicros } = statement.totals;
  const { minorDigits } = statement.sponsor;
  const due = statement.due === null ? null : statementDue(statement, openingMicros, minorDigits);
  statement.totals = totalsOf(statement, openingMicros, minorDigits, statement.isClosed ? due : null);
  statement.due = due;
  statement.proof.merkleRoot = rootOf(rows);
  statement.proof.leaves = rows.length;
}

export const edit = (row: FileRow, fields: Partial<ExportedRow>) => Object.assign(row.row, fields);
const ownCharge = ({ rows }: Forged) => {
  const found = rows.find(({ row }) => row.origin === 'charge' && row.month === '2026-10');
  if (found === undefined) throw new Error('no charge of the month');
  return found;
};

/** Outcome of a forgery: a fault that matches, or the field that is listed as not proven. */
export type Outcome = { fault: RegExp } | { unproven: string };

/** Forgeries without a signature: the forger can recompute everything but the arithmetic. */
export const FORGERIES: [string, (forged: Forged) => void, Outcome][] = [
  ['a row’s octets', (f) => edit(ownCharge(f), { sponsored_octets: '799999' }), { fault: /^proof\.merkleRoot/ }],
  [
    'a row’s charge, with root and totals recomputed',
    (f) => {
      edit(ownCharge(f), { charge_micros: '1' });
      recomputeDerived(f);
    },
    { fault: /^row \d+: charge_micros is 1, and 1525879 by the tiers/ },
  ],
  ['a row’s subscriber', (f) => edit(ownCharge(f), { subscriber: 'a'.repeat(32) }), { fault: /^proof\.merkleRoot/ }],
  [
    'a row left out, with root and count recomputed',
    (f) => {
      f.rows.splice(f.rows.indexOf(ownCharge(f)), 1);
      recomputeDerived(f);
    },
    { fault: /^lines.*\.records/ },
  ],
  [
    'a row twice, with everything recomputed',
    (f) => {
      f.rows.splice(f.rows.indexOf(ownCharge(f)), 0, structuredClone(ownCharge(f)));
      recomputeDerived(f);
    },
    { fault: /occurs twice$/ },
  ],
  [
    'a row twice under another offset, its line not',
    (f) => {
      const copy = structuredClone(ownCharge(f));
      edit(copy, { offset: '999' });
      f.rows.push(copy);
      recomputeDerived(f);
    },
    { fault: /is in no batch listed|^lines/ },
  ],
  [
    'rows in another order',
    (f) => {
      f.rows.reverse();
      recomputeDerived(f);
    },
    { fault: /not in the order of an export/ },
  ],
  ['a row of another sponsor', (f) => edit(ownCharge(f), { sponsor_id: 'other' }), { fault: /is of sponsor other/ }],
  ['a row in another currency', (f) => edit(ownCharge(f), { currency: 'EUR' }), { fault: /is in EUR/ }],
  ['a row of a later month', (f) => edit(ownCharge(f), { month: '2026-11' }), { fault: /is of 2026-11/ }],
  [
    'a row booked later, so that it is late',
    (f) => {
      edit(ownCharge(f), { booking_date: '2027-06-03' });
      recomputeDerived(f);
    },
    { fault: /^completeness\.lateRecords\.records/ },
  ],
  [
    'a price, and the rounding that hides it',
    (f) => {
      const [line] = f.statement.lines;
      const [tier] = line.tiers;
      tier.pricePerMiBMicros += 1_000_000n;
      const before = tier.amountMicros;
      tier.amountMicros = tierAmountMicros(tier.octets, tier.pricePerMiBMicros);
      line.roundingMicros -= tier.amountMicros - before;
    },
    { fault: /^row \d+: charge_micros is \d+, and \d+ by the tiers/ },
  ],
  [
    'the end of a tier',
    (f) => {
      f.statement.lines[0].tiers[0].toOctets = 900_000n;
      f.statement.lines[0].tiers[1].fromOctets = 900_000n;
    },
    { fault: /tiers\[0\]\.octets/ },
  ],
  [
    'the end of the last tier, which no octet reaches',
    (f) => {
      f.statement.lines[0].tiers[1].toOctets = 10n ** 12n;
    },
    { unproven: 'lines[].tiers[].toOctets' },
  ],
  [
    'a line’s charge, with totals recomputed',
    (f) => {
      f.statement.lines[0].chargeMicros += 5n;
      f.statement.lines[0].roundingMicros += 5n;
      recomputeDerived(f);
    },
    { fault: /^lines.*\.chargeMicros/ },
  ],
  [
    'an added line',
    (f) => {
      f.statement.lines.push({ ...f.statement.lines[0], planId: 'invented' });
      recomputeDerived(f);
    },
    { fault: /^lines\[chat, invented.*and it has no rows/ },
  ],
  [
    'a line left out, with totals recomputed',
    (f) => {
      f.statement.lines.pop();
      recomputeDerived(f);
    },
    { fault: /^lines\[.*has rows, and the statement does not list it/ },
  ],
  [
    'a line as an adjustment, with totals recomputed',
    (f) => {
      f.statement.lines[0].isAdjustment = true;
      recomputeDerived(f);
    },
    { fault: /isAdjustment: true in the statement, false/ },
  ],
  [
    'the decimals of the currency',
    (f) => {
      f.statement.sponsor.minorDigits = 0;
      recomputeDerived(f);
    },
    { fault: /^sponsor\.minorDigits: 0 in the statement, 2/ },
  ],
  [
    'the currency, with its decimals',
    (f) => {
      f.statement.sponsor.currency = 'JPY';
      f.statement.sponsor.minorDigits = 0;
      recomputeDerived(f);
    },
    { fault: /is in USD, the statement in JPY/ },
  ],
  [
    'the sponsor',
    (f) => {
      f.statement.sponsor.id = 'other';
    },
    { fault: /is of sponsor chatter, the statement of other/ },
  ],
  [
    'the sponsor’s name',
    (f) => {
      f.statement.sponsor.name = 'Chatter Holding';
    },
    { unproven: 'sponsor.name' },
  ],
  [
    'the month',
    (f) => {
      f.statement.month = '2026-11';
    },
    { fault: /isAdjustment|closedAt/ },
  ],
  [
    'an entry’s amount',
    (f) => {
      f.statement.entries[0].amountMicros += 1n;
    },
    { fault: /^totals\.creditMicros/ },
  ],
  [
    'an entry’s amount, with totals recomputed',
    (f) => {
      f.statement.entries[0].amountMicros += 1n;
      recomputeDerived(f);
    },
    { unproven: 'entries[].amountMicros' },
  ],
  [
    'all entries left out, with totals recomputed',
    (f) => {
      f.statement.entries = [];
      recomputeDerived(f);
    },
    { unproven: 'entries[].amountMicros' },
  ],
  [
    'the opening balance, with totals recomputed',
    (f) => {
      f.statement.totals.openingMicros += 1_000_000n;
      recomputeDerived(f);
    },
    { unproven: 'totals.openingMicros' },
  ],
  [
    'the closing balance',
    (f) => {
      f.statement.totals.closingMicros += 1n;
    },
    { fault: /^totals\.closingMicros/ },
  ],
  [
    'what is printed',
    (f) => {
      f.statement.totals.total = '0.01';
    },
    { fault: /^totals\.total: 0\.01/ },
  ],
  [
    'what came late',
    (f) => {
      f.statement.completeness.lateRecords.chargeMicros = 0n;
    },
    { fault: /^completeness\.lateRecords\.chargeMicros/ },
  ],
  [
    'what was rejected',
    (f) => {
      f.statement.completeness.rejections.push({ reason: 'malformed', records: 7 });
    },
    { unproven: 'completeness.rejections[].records' },
  ],
  [
    'a day',
    (f) => {
      f.statement.byDay.reverse();
    },
    { fault: /^byDay: not in the order/ },
  ],
  [
    'a correction’s reason',
    (f) => {
      f.statement.corrections[0].why = 'rebate';
    },
    { unproven: 'corrections[].why' },
  ],
  [
    'a correction left out',
    (f) => {
      f.statement.corrections = [];
      recomputeDerived(f);
    },
    { fault: /^corrections\[1, 2026-09\]: has rows/ },
  ],
  [
    'when it was closed',
    (f) => {
      f.statement.closing = { number: 2, closedAt: '2026-10-20T00:00:00.000Z', who: 'Ada' };
    },
    { fault: /^closing\.closedAt: .* is before the end of 2026-10/ },
  ],
  [
    'a closed month as an open one',
    (f) => {
      f.statement.isClosed = false;
      f.statement.closing = null;
      recomputeDerived(f);
    },
    { unproven: 'isClosed' },
  ],
  [
    'a batch’s digest, with the digest over all recomputed',
    (f) => {
      const { batches } = f.statement.proof;
      if (batches.list !== null) batches.list[0].digest = 'f'.repeat(64);
      batches.digest = digestOfBatches(batches.list ?? []);
    },
    { unproven: 'proof.batches.list[].digest' },
  ],
  [
    'a batch left out',
    (f) => {
      f.statement.proof.batches.list?.pop();
    },
    { fault: /^proof\.batches\.(count|digest)/ },
  ],
  [
    'the amount due',
    (f) => {
      if (f.statement.due !== null) f.statement.due.amountDueMicros = 10_000n;
    },
    { fault: /^due\.amountDueMicros: 10000/ },
  ],
  [
    'the time zone of a plan',
    (f) => {
      f.statement.timeZones = f.statement.timeZones.map((zone) => ({ ...zone, timeZone: 'Pacific/Kiritimati' }));
    },
    { unproven: 'timeZones[].timeZone' },
  ],
  [
    'the settlement date of a plan',
    (f) => {
      for (const settlement of f.statement.completeness.lateRecords.settlements) settlement.settledOn = '2149-06-06';
    },
    { unproven: 'completeness.lateRecords.settlements[].settledOn' },
  ],
  [
    'the list of batches left out',
    (f) => {
      f.statement.proof.batches.list = null;
    },
    { fault: /^proof\.batches\.list: null/ },
  ],
];
