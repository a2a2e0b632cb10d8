import { unzipSync, zipSync } from 'fflate';
import writeExcelFile, { type Cell, type Row, type Sheet } from 'write-excel-file/node';
import { roundedUnits } from '../shown-money.ts';
import { kindName, sumOfKind, TERMS_KINDS, termsParts } from './monthly-terms.ts';
import { sumOf } from './statement-arithmetic.ts';
import { lineRows } from './statement-csv.ts';
import type { Statement } from './statement-document.ts';

const OCTETS = '#,##0';
const BOLD = { fontWeight: 'bold' } as const;
const MICROS_PER_UNIT = 1_000_000;

type Columns = readonly { title: string; width: number }[];

/**
 * Returns the statement as a workbook: summary, lines, days, entries, completeness. Numbers are numbers: money in units of
 * the currency, which a spreadsheet keeps to fifteen digits.
 */
export async function statementXlsx(statement: Statement): Promise<Uint8Array> {
  const sheets = [summarySheet, linesSheet, daysSheet, entriesSheet, completenessSheet].map((make) => make(statement));
  return withoutClock(await writeExcelFile(sheets, { fontFamily: 'Calibri', fontSize: 11 }).toBuffer());
}

/** Returns the archive without its time of writing: a statement has the same bytes whenever it is exported. */
function withoutClock(archive: Uint8Array): Uint8Array {
  // The archive stores the fields of a local date, so this one is the same in every zone.
  return zipSync(unzipSync(archive), { mtime: new Date(1980, 0, 1) });
}

function summarySheet(statement: Statement): Sheet<Buffer> {
  const { sponsor, month, closing, totals, proof } = statement;
  const text = (name: string, value: string): Row => [name, { value, align: 'left' }];
  const amount = (name: string, micros: bigint): Row => [name, money(micros)];
  const billed = (name: string, value: number): Row => [
    { value: name, ...BOLD },
    { value, ...BOLD, format: decimals(sponsor.minorDigits) },
  ];
  const rows: Row[] = [
    [{ value: `Statement ${month} · ${sponsor.name}`, ...BOLD, fontSize: 14 }],
    [],
    text('Sponsor', sponsor.id),
    text('Currency', sponsor.currency),
    text('Status', closing === null ? 'open: may still change' : `closed by ${closing.who} at ${closing.closedAt}`),
    ['Records', whole(totals.records)],
    ['Sponsored octets', whole(totals.sponsoredOctets)],
    ['Subscribers’ octets', whole(totals.subscriberOctets)],
    [],
    amount('Opening balance', totals.openingMicros),
    amount('Payments and other entries', totals.creditMicros),
    amount('Charges of the month', totals.chargeMicros),
    amount('Adjustments of earlier months', totals.adjustmentMicros),
    ...TERMS_KINDS.map((kind) => [kindName(kind), sumOfKind(statement, kind)] as const)
      .filter(([, micros]) => micros !== 0n)
      .map(([name, micros]) => amount(name, micros)),
    amount('Total before rounding', totals.totalMicros),
    billed('Total', Number(totals.total)),
    ...dueRows(statement, billed),
    amount('Closing balance', totals.closingMicros),
    ...invoiceRows(statement, text),
    [],
    text('Merkle root', proof.merkleRoot),
    ['Rows', whole(proof.leaves)],
    ['Batches', whole(proof.batches.count)],
    text('Digest over the batches', proof.batches.digest),
  ];
  return { sheet: 'Summary', data: rows, columns: [{ width: 32 }, { width: 70 }], showGridLines: false };
}

function dueRows({ due, sponsor, isClosed }: Statement, billed: (name: string, value: number) => Row): Row[] {
  if (due === null) return [];
  const { taxableMicros, taxMicros, amountDueMicros, roundingMicros } = due;
  const units = (micros: bigint) => Number(roundedUnits(micros, sponsor.minorDigits));
  return [
    billed('Tax', units(taxMicros)),
    billed('Paid ahead, and other entries', units(amountDueMicros - taxableMicros - taxMicros)),
    billed('Amount due', Number(due.amountDue)),
    ...(isClosed ? [['Rounding posted', money(roundingMicros)]] : []),
  ];
}

function invoiceRows({ invoice }: Statement, text: (name: string, value: string) => Row): Row[] {
  if (invoice === null) return [];
  const { number, issueDate, dueDate, seller, buyer } = invoice;
  const party = ({ legalName, taxId, address }: typeof seller | typeof buyer) =>
    [legalName, taxId, address.street, address.postalCode, address.city, address.country]
      .filter((part) => part !== undefined)
      .join(', ');
  return [
    [],
    text('Invoice number', number ?? 'given when the month is closed'),
    text('Issued', issueDate ?? ''),
    text('Due', dueDate ?? ''),
    text('Seller', party(seller)),
    text('Buyer', party(buyer)),
    text('Tax category', [buyer.tax.category, buyer.tax.rate, buyer.tax.exemptionReason].filter(Boolean).join(' · ')),
    text('Bank account', seller.bankAccount?.id ?? ''),
  ];
}

function linesSheet(statement: Statement): Sheet<Buffer> {
  const { lines, corrections, month } = statement;
  const rows = lineRows(lines).map(
    ({ line, part, fromOctets, toOctets, pricePerMiBMicros, octets, amountMicros }): Row => [
      line.usageMonth,
      line.isAdjustment ? 'adjustment' : 'charge',
      line.applicationId,
      line.planId,
      line.planVersion,
      part,
      fromOctets === null ? null : whole(fromOctets),
      toOctets === null ? null : whole(toOctets),
      pricePerMiBMicros === null ? null : money(pricePerMiBMicros),
      whole(octets),
      money(amountMicros),
    ],
  );
  const corrected = corrections.map(
    (each): Row => [
      each.usageMonth,
      'correction',
      null,
      null,
      null,
      `${each.number} ${each.name}`,
      null,
      null,
      null,
      whole(each.sponsoredOctets),
      money(each.chargeMicros),
    ],
  );
  const terms = termsParts(statement).map(
    ({ kind, terms: { applicationId, id, version }, amountMicros }): Row => [
      month,
      kind,
      applicationId,
      null,
      null,
      `${id} version ${version}`,
      null,
      null,
      null,
      null,
      money(amountMicros),
    ],
  );
  const amount =
    sumOf(lines, ({ chargeMicros }) => chargeMicros) +
    sumOf(corrections, ({ chargeMicros }) => chargeMicros) +
    (statement.totals.monthlyTermsMicros ?? 0n);
  const octets =
    sumOf(lines, ({ sponsoredOctets }) => sponsoredOctets) +
    sumOf(corrections, ({ sponsoredOctets }) => sponsoredOctets);
  const sum: Row = [
    { value: 'Sum', ...BOLD },
    ...Array<Cell>(8).fill(null),
    { ...whole(octets), ...BOLD },
    { ...money(amount), ...BOLD },
  ];
  return table('Lines', LINE_COLUMNS, [...rows, ...corrected, ...terms, sum]);
}

const LINE_COLUMNS: Columns = [
  { title: 'Usage month', width: 13 },
  { title: 'Kind', width: 12 },
  { title: 'Application', width: 22 },
  { title: 'Plan', width: 24 },
  { title: 'Version', width: 9 },
  { title: 'Part', width: 18 },
  { title: 'From octets', width: 16 },
  { title: 'To octets', width: 16 },
  { title: 'Price per MiB', width: 14 },
  { title: 'Octets', width: 20 },
  { title: 'Amount', width: 20 },
];

function daysSheet({ byDay }: Statement): Sheet<Buffer> {
  const columns = [
    { title: 'Day of use', width: 13 },
    { title: 'Sponsored octets', width: 20 },
    { title: 'Subscribers’ octets', width: 20 },
    { title: 'Charge', width: 20 },
  ];
  const rows = byDay.map(
    ({ day, sponsoredOctets, subscriberOctets, chargeMicros }): Row => [
      { value: new Date(`${day}T00:00:00Z`), format: 'yyyy-mm-dd' },
      whole(sponsoredOctets),
      whole(subscriberOctets),
      money(chargeMicros),
    ],
  );
  return table('Days', columns, rows);
}

function entriesSheet({ entries }: Statement): Sheet<Buffer> {
  const columns = [
    { title: 'Number', width: 10 },
    { title: 'Kind', width: 14 },
    { title: 'Effective (UTC)', width: 20 },
    { title: 'Amount', width: 20 },
    { title: 'Why', width: 40 },
    { title: 'Who', width: 20 },
  ];
  const rows = entries.map(
    ({ number, kind, effectiveAt, amountMicros, why, who }): Row => [
      number,
      kind,
      { value: new Date(effectiveAt), format: 'yyyy-mm-dd hh:mm:ss' },
      money(amountMicros),
      why,
      who,
    ],
  );
  return table('Entries', columns, rows);
}

function completenessSheet({ completeness }: Statement): Sheet<Buffer> {
  const { missingRecords, rejections, lateRecords, sourceGaps } = completeness;
  const columns = [
    { title: 'What', width: 24 },
    { title: 'Which', width: 34 },
    { title: 'Records', width: 14 },
    { title: 'Sponsored octets', width: 20 },
    { title: 'Charge', width: 20 },
  ];
  return table('Completeness', columns, [
    [
      'late records',
      null,
      whole(lateRecords.records),
      whole(lateRecords.sponsoredOctets),
      money(lateRecords.chargeMicros),
    ],
    ...rejections.map(({ reason, records }): Row => ['rejected', reason, whole(records), null, null]),
    [
      'missing records (estimated)',
      null,
      whole(missingRecords.records),
      whole(missingRecords.sponsoredOctets),
      money(missingRecords.chargeMicros),
    ],
    ...sourceGaps.map(
      ({ reason, bookingDate }): Row => ['loss of the source', `noted on ${bookingDate}: ${reason}`, null, null, null],
    ),
  ]);
}

function table(sheet: string, columns: Columns, rows: readonly Row[]): Sheet<Buffer> {
  const header = columns.map(({ title }): Cell => ({ value: title, ...BOLD, backgroundColor: '#e8edf2' }));
  return { sheet, data: [header, ...rows], columns: columns.map(({ width }) => ({ width })), stickyRowsCount: 1 };
}

function money(micros: bigint) {
  return { value: Number(micros) / MICROS_PER_UNIT, format: decimals(6) };
}

function whole(value: bigint | number) {
  return { value: Number(value), format: OCTETS };
}

function decimals(digits: number): string {
  return digits === 0 ? OCTETS : `${OCTETS}.${'0'.repeat(digits)}`;
}
