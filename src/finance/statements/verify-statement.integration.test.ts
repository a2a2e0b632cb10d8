import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExportedRow, ROW_FIELDS } from './exported-row.ts';
import { rowsOf } from './finance.fixture.ts';
import { proveRecord, type RecordProof, verifyRecordProof } from './record-proof.ts';
import { type FileRow, readRowsFile } from './rows-file.ts';
import type { Statement } from './statement-document.ts';
import { type BookedStatement, bookedStatement, readRows, verified } from './verify.fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerorate-verify-'));
let booked: BookedStatement;
let statement: Statement;
let rows: FileRow[];
let csv: string;

beforeAll(async () => {
  booked = await bookedStatement();
  ({ statement, rows, csv } = booked);
});
afterAll(() => rmSync(directory, { recursive: true }));

const changedRow = (at: number, fields: Partial<ExportedRow>) =>
  rows.map((each, place) => (place === at ? { ...each, row: { ...each.row, ...fields } } : each));
const faultsOf = async (changed: readonly FileRow[], of = statement) => (await verified(of, changed)).faults;

test('a statement verifies against its own rows: ClickHouse and this program compute the same hashes', async () => {
  expect(rows).toHaveLength(13);
  expect(new Set(rows.map(({ row }) => row.origin))).toEqual(new Set(['charge', 'reversal', 'recharge']));
  expect(await faultsOf(rows)).toEqual([]);
});

test('pages of any size give the same rows, and the same root', () => {
  for (const page of booked.inPages) expect(page).toEqual({ csv, root: statement.proof.merkleRoot });
});

describe('a changed row is reported', () => {
  const place = () => rows.findIndex(({ row }) => row.origin === 'charge' && row.month === '2026-10');

  test('one sponsored octet more: by line, tier, day, application, content type and root', async () => {
    const at = place();
    const { sponsored_octets, start_time } = rows[at].row;
    const faults = await faultsOf(changedRow(at, { sponsored_octets: String(Number(sponsored_octets) + 1) }));
    const line = 'lines[chat, chat-monthly version 1, 2026-10]';
    const { sponsoredOctets } = statement.lines[0];
    expect(faults).toEqual([
      expect.stringMatching(/^row \d+: sponsored_octets is 800001, and its counter 800000$/),
      `${line}.sponsoredOctets: ${sponsoredOctets} in the statement, ${sponsoredOctets + 1n} recomputed`,
      expect.stringMatching(/^lines.*\.tiers\[0\]\.octets: \d+ in the statement, \d+ recomputed$/),
      expect.stringMatching(`^byDay\\[${start_time.slice(0, 10)}\\]\\.sponsoredOctets: `),
      expect.stringMatching(/^byApplication\[chat\]\.sponsoredOctets: /),
      expect.stringMatching(/^byContentType\[text\]\.sponsoredOctets: /),
      expect.stringMatching(/^proof\.merkleRoot: [0-9a-f]{64} in the statement, [0-9a-f]{64} recomputed$/),
    ]);
  });

  test.each<[string, Partial<ExportedRow>, RegExp[]]>([
    [
      'charge',
      { charge_micros: '1' },
      [/^row 2: charge_micros is 1, and/, /^lines.*\.chargeMicros: /, /^byDay.*\.chargeMicros: /, /^proof\.merkleRoot/],
    ],
    ['counter', { used_octets_after: '2000000' }, [/^lines.*\.tiers\[0\]\.octets: /, /^proof\.merkleRoot/]],
    ['subscriber', { subscriber: '0'.repeat(32) }, [/^proof\.merkleRoot/]],
    ['reason', { reason: 'quota_reached' }, [/^proof\.merkleRoot/]],
    ['place', { offset: '99' }, [/^proof\.merkleRoot/]],
    [
      'plan',
      { plan_version: '2' },
      [/^lines.*version 1.*\.records: /, /^lines.*version 2.*has rows, and the statement does not/],
    ],
    [
      'sponsor',
      { sponsor_id: 'other' },
      [/^row 2: is of sponsor other, the statement of chatter/, /^lines.*\.records: /],
    ],
    ['currency', { currency: 'EUR' }, [/^row 2: is in EUR, the statement in USD/]],
    ['month', { month: '2026-11' }, [/^row 2: is of 2026-11, the statement of 2026-10/]],
  ])('its %s', async (_, fields, expected) => {
    // Put first, so that its line number is known.
    const at = place();
    const [moved] = changedRow(at, fields).slice(at, at + 1);
    const faults = await faultsOf([{ ...moved, line: 2 }, ...rows.filter((_, other) => other !== at)]);
    for (const fault of expected) expect(faults).toContainEqual(expect.stringMatching(fault));
  });

  test('left out, doubled, in another order', async () => {
    const count = /^proof\.leaves: 13 in the statement, \d+ recomputed$/;
    expect(await faultsOf(rows.slice(1))).toContainEqual(expect.stringMatching(count));
    expect(await faultsOf([rows[0], ...rows])).toContainEqual(expect.stringMatching(count));
    expect(await faultsOf(rows.toReversed())).toContainEqual(expect.stringMatching(/^row \d+: is not in the order/));
    expect(await faultsOf([rows[0], ...rows])).toContainEqual('row 2: occurs twice');
    expect(await faultsOf([])).toContainEqual(
      'lines[chat, chat-monthly version 1, 2026-10]: the statement lists it, and it has no rows',
    );
  });
});

describe('a changed statement is reported', () => {
  const [plus, minus] = [1n, -1n];
  test.each<[string, (copy: Statement) => void, RegExp]>([
    [
      'a line',
      ({ lines }) => {
        lines[0].chargeMicros += plus;
      },
      /^lines.*\.chargeMicros: /,
    ],
    [
      'a tier',
      ({ lines }) => {
        lines[0].tiers[0].octets += plus;
      },
      /^lines.*\.tiers\[0\]\.octets: /,
    ],
    [
      'a price',
      ({ lines }) => {
        lines[0].tiers[0].pricePerMiBMicros = 1n;
      },
      /^lines.*\.tiers\[0\]\.amountMicros: /,
    ],
    [
      'a rounding',
      ({ lines }) => {
        lines[0].roundingMicros += plus;
      },
      /^lines.*\.roundingMicros: /,
    ],
    [
      'a correction',
      ({ corrections }) => {
        corrections[0].chargeMicros += plus;
      },
      /^corrections\[1, 2026-09\]\.chargeMicros: /,
    ],
    [
      'an entry',
      ({ totals }) => {
        totals.creditMicros += plus;
      },
      /^totals\.creditMicros: 6000001 in the statement, 6000000 recomputed$/,
    ],
    [
      'the balance',
      ({ totals }) => {
        totals.closingMicros += minus;
      },
      /^totals\.closingMicros: /,
    ],
    [
      'a shown amount',
      ({ totals }) => {
        totals.total = '0.01';
      },
      /^totals\.total: 0\.01 in the statement/,
    ],
    ['a day', ({ byDay }) => void byDay.pop(), /^byDay\[2026-10-07\]: has rows, and the statement does not list it$/],
    [
      'the root',
      ({ proof }) => {
        proof.merkleRoot = '0'.repeat(64);
      },
      /^proof\.merkleRoot: 0{64} in the statement/,
    ],
    ['a batch', ({ proof }) => void proof.batches.list?.pop(), /^proof\.batches\.count: /],
    [
      'an adjustment',
      ({ lines }) => {
        lines[0].isAdjustment = true;
      },
      /^lines.*\.isAdjustment: true in the statement, false recomputed$/,
    ],
  ])('%s', async (_, change, expected) => {
    const copy = structuredClone(statement);
    change(copy);
    expect(await faultsOf(rows, copy)).toContainEqual(expect.stringMatching(expected));
  });
});

describe('a file that is no export is refused, with its line', () => {
  test.each<[string, (text: string) => string, RegExp]>([
    ['cut off in a line', (text) => text.slice(0, -20), /rows\.csv:14: the file ends within a line: it was cut off/],
    ['a cell less', (text) => text.replace(/,"USD"/, ''), /rows\.csv:2: 21 cells, but 22 columns/],
    [
      'an amount that is none',
      (text) => text.replace(/-?\d+,"USD"/, 'x,"USD"'),
      /rows\.csv:2: charge_micros: expected a whole number, got "x"/,
    ],
    ['a quote out of place', (text) => text.replace('"USD"', '"US"D"'), /rows\.csv:2: a quote out of place/],
    ['another header', (text) => text.replace('topic,', 'log,'), /rows\.csv:1: not the header/],
    ['nothing in it', () => '', /rows\.csv:1: the file is empty/],
  ])('%s', async (_, change, expected) => {
    await expect(readRows(change(csv))).rejects.toThrow(expected);
  });

  test('not there', async () => {
    await expect(readRowsFile(join(directory, 'nowhere.csv')).next()).rejects.toThrow(/nowhere\.csv: cannot be read/);
  });
});

describe('the proof of one record', () => {
  const place = () => {
    const { topic, partition, offset } = rows[0].row;
    return { topic, partition: Number(partition), offset: Number(offset) };
  };
  const prove = async () => structuredClone((await proveRecord(statement, rowsOf(rows), place())) as RecordProof);

  test('holds alone, with all that corrections made of the record', async () => {
    const proof = await prove();
    expect(proof.merkleRoot).toBe(statement.proof.merkleRoot);
    expect(proof.rows.map(({ row }) => row.origin)).toEqual(['reversal', 'recharge']);
    expect(verifyRecordProof(proof, null)).toEqual([]);
  });

  test.each(ROW_FIELDS.map((name) => [name]))('does not hold with another %s', async (name) => {
    const proof = await prove();
    proof.rows[0].row[name] += '1';
    expect(verifyRecordProof(proof, null)).not.toEqual([]);
  });

  test('does not hold with another path, place, count or root', async () => {
    const changes: ((proof: RecordProof) => void)[] = [
      ({ rows }) => void rows[0].path.pop(),
      ({ rows }) => void rows[0].path.reverse(),
      ({ rows }) => {
        rows[0].index += 2;
      },
      (proof) => {
        proof.leaves += 9;
      },
      (proof) => {
        proof.merkleRoot = '0'.repeat(64);
      },
    ];
    for (const change of changes) {
      const proof = await prove();
      change(proof);
      expect(verifyRecordProof(proof, null)).not.toEqual([]);
    }
  });

  test('is not cut out of other rows, nor of a record that is not there', async () => {
    expect(await proveRecord(statement, rowsOf(rows.slice(1)), place())).toBe('rows_differ');
    expect(await proveRecord(statement, rowsOf(rows), { ...place(), offset: 999 })).toBe('record_missing');
  });
});
