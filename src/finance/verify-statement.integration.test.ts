import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOORS } from '../engine/engine.fixture.ts';
import { closeMonth } from './close-month.ts';
import { readCoverage } from './coverage.ts';
import { coveredCsv, coveredLeaves } from './covered-rows.ts';
import { type ExportedRow, ROW_FIELDS } from './exported-row.ts';
import { Booker, bookCorrection, rowsOf } from './finance.fixture.ts';
import { MerkleTree } from './merkle.ts';
import { proveRecord, type RecordProof, verifyRecordProof } from './record-proof.ts';
import { type FileRow, readRowsFile } from './rows-file.ts';
import { statementOf } from './statement.ts';
import type { Statement } from './statement-document.ts';
import { verifyStatement } from './verify-statement.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerorate-verify-'));
const path = join(directory, 'rows.csv');
let csv: string;
let statement: Statement;
let rows: FileRow[];
const inPages: string[] = [];
const rootsInPages: string[] = [];

/** A statement with charges, adjustments and a correction, and its rows as they were exported. */
beforeAll(async () => {
  const { store, close } = await DOORS.embedded();
  const booker = new Booker(store, 'flows, "quoted"');
  const use = (at: string, msisdn: number) => ({ at, octets: 800_000, msisdn: `99900000000${msisdn}` });
  await booker.book(
    [1, 2].map((msisdn) => use('2026-09-30', msisdn)),
    '2026-10-01',
  );
  await closeMonth(store, { sponsorId: 'chatter', month: '2026-09', who: 'Ada', nowMs: Date.UTC(2026, 9, 2) });
  await booker.book(
    [1, 2, 3, 1, 1].map((msisdn) => use('2026-10-05', msisdn)),
    '2026-10-06',
  );
  await booker.book([use('2026-09-11', 1), use('2026-10-07', 4)], '2026-10-08');
  await bookCorrection(store, { number: 1, month: '2026-09', factor: 40, bookedOn: '2026-10-09' });
  const coverage = await readCoverage(store, 'chatter', '2026-10');
  statement = await statementOf(store, coverage);
  const exported = async (pageRows?: number) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of coveredCsv(store, coverage, statement.proof.leaves, pageRows)) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  };
  csv = await exported();
  for (const pageRows of [1, 2, 5, 12]) {
    inPages.push(await exported(pageRows));
    const tree = new MerkleTree();
    for await (const leaf of coveredLeaves(store, coverage, statement.proof.leaves, pageRows)) tree.add(leaf);
    rootsInPages.push(Buffer.from(tree.root()).toString('hex'));
  }
  rows = await read(csv);
  await close();
});
afterAll(() => rmSync(directory, { recursive: true }));

async function read(text: string): Promise<FileRow[]> {
  writeFileSync(path, text);
  const read: FileRow[] = [];
  for await (const row of readRowsFile(path)) read.push(row);
  return read;
}

const changedRow = (at: number, fields: Partial<ExportedRow>) =>
  rows.map((each, place) => (place === at ? { ...each, row: { ...each.row, ...fields } } : each));
const faultsOf = (changed: readonly FileRow[], of = statement) => verifyStatement(of, rowsOf(changed));

test('a statement holds by its own rows: what ClickHouse hashed is what is hashed here', async () => {
  expect(rows).toHaveLength(13);
  expect(new Set(rows.map(({ row }) => row.origin))).toEqual(new Set(['charge', 'reversal', 'recharge']));
  expect(await faultsOf(rows)).toEqual([]);
});

test('a page at a time gives the same rows, and the same root', () => {
  for (const text of inPages) expect(text).toBe(csv);
  for (const root of rootsInPages) expect(root).toBe(statement.proof.merkleRoot);
});

describe('a changed row is told', () => {
  const place = () => rows.findIndex(({ row }) => row.origin === 'charge' && row.month === '2026-10');

  test('one sponsored octet more: by line, tier, day, application, content type and root', async () => {
    const at = place();
    const { sponsored_octets, start_time } = rows[at].row;
    const faults = await faultsOf(changedRow(at, { sponsored_octets: String(Number(sponsored_octets) + 1) }));
    const line = 'line chat, chat-monthly version 1, 2026-10';
    const { sponsoredOctets } = statement.lines[0];
    expect(faults).toEqual([
      `${line}: sponsoredOctets is ${sponsoredOctets + 1n} by the rows and ${sponsoredOctets} in the statement`,
      expect.stringMatching(`^day ${start_time.slice(0, 10)}: sponsoredOctets is`),
      expect.stringMatching('^application chat: sponsoredOctets is'),
      expect.stringMatching('^content type text: sponsoredOctets is'),
      expect.stringMatching('^Merkle root: [0-9a-f]{64} by the rows and [0-9a-f]{64} in the statement$'),
    ]);
  });

  test.each<[string, Partial<ExportedRow>, RegExp[]]>([
    ['charge', { charge_micros: '1' }, [/^line .*: chargeMicros is/, /^day .*: chargeMicros is/, /^Merkle/]],
    ['counter', { used_octets_after: '2000000' }, [/^line .*: the tier from 0 octets has/, /^Merkle/]],
    ['subscriber', { subscriber: '0'.repeat(32) }, [/^Merkle/]],
    ['reason', { reason: 'quota_reached' }, [/^Merkle/]],
    ['place', { offset: '99' }, [/^Merkle/]],
    [
      'plan',
      { plan_version: '2' },
      [/^line .*version 1.*: the count is/, /^line .*version 2.*has rows, and the statement does not/],
    ],
    [
      'sponsor',
      { sponsor_id: 'other' },
      [/^row 2: is of sponsor other, the statement of chatter/, /^line .*: the count is/],
    ],
    ['currency', { currency: 'EUR' }, [/^row 2: is in EUR, the statement in USD/]],
    ['month', { month: '2026-11' }, [/^row 2: is of 2026-11, the statement of 2026-10/]],
  ])('its %s', async (_, fields, expected) => {
    // Put first, so that its line is known.
    const at = place();
    const [moved] = changedRow(at, fields).slice(at, at + 1);
    const faults = await faultsOf([{ ...moved, line: 2 }, ...rows.filter((_, other) => other !== at)]);
    for (const fault of expected) expect(faults).toContainEqual(expect.stringMatching(fault));
  });

  test('left out, doubled, in another order', async () => {
    const count = /^rows: \d+ in the file and 13 in the statement$/;
    expect(await faultsOf(rows.slice(1))).toContainEqual(expect.stringMatching(count));
    expect(await faultsOf([rows[0], ...rows])).toContainEqual(expect.stringMatching(count));
    expect(await faultsOf(rows.toReversed())).toEqual([expect.stringMatching(/^Merkle root/)]);
    expect(await faultsOf([])).toContainEqual(
      'line chat, chat-monthly version 1, 2026-10: the statement lists it, and it has no rows',
    );
  });
});

describe('a changed statement is told', () => {
  const [plus, minus] = [1n, -1n];
  test.each<[string, (copy: Statement) => void, RegExp]>([
    [
      'a line',
      ({ lines }) => {
        lines[0].chargeMicros += plus;
      },
      /^line .*: chargeMicros is/,
    ],
    [
      'a tier',
      ({ lines }) => {
        lines[0].tiers[0].octets += plus;
      },
      /^line .*: the tier from 0 octets has/,
    ],
    [
      'a price',
      ({ lines }) => {
        lines[0].tiers[0].pricePerMiBMicros = 1n;
      },
      /^line .*: the amount of the tier from 0/,
    ],
    [
      'a rounding',
      ({ lines }) => {
        lines[0].roundingMicros += plus;
      },
      /^line .*: its tiers and rounding make/,
    ],
    [
      'a correction',
      ({ corrections }) => {
        corrections[0].chargeMicros += plus;
      },
      /^correction 1, 2026-09: chargeMicros/,
    ],
    [
      'an entry',
      ({ totals }) => {
        totals.creditMicros += plus;
      },
      /^total: creditMicros is 1 in the statement, whose parts/,
    ],
    [
      'the balance',
      ({ totals }) => {
        totals.closingMicros += minus;
      },
      /^total: closingMicros is/,
    ],
    [
      'what is shown',
      ({ totals }) => {
        totals.total = '0.01';
      },
      /^total: total is 0.01 in the statement/,
    ],
    ['a day', ({ byDay }) => void byDay.pop(), /^day 2026-10-07: has rows, and the statement does not list it$/],
    [
      'the root',
      ({ proof }) => {
        proof.merkleRoot = '0'.repeat(64);
      },
      /^Merkle root: .* and 0{64} in the statement/,
    ],
    ['a batch', ({ proof }) => void proof.batches.list?.pop(), /^batches: /],
    [
      'what is an adjustment',
      ({ lines }) => {
        lines[0].isAdjustment = true;
      },
      /^total: what was used in 2026-10/,
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
    await expect(read(change(csv))).rejects.toThrow(expected);
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
    expect(verifyRecordProof(proof)).toEqual([]);
  });

  test.each(ROW_FIELDS.map((name) => [name]))('does not hold with another %s', async (name) => {
    const proof = await prove();
    proof.rows[0].row[name] += '1';
    expect(verifyRecordProof(proof)).not.toEqual([]);
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
      expect(verifyRecordProof(proof)).not.toEqual([]);
    }
  });

  test('is not cut out of other rows, nor of a record that is not there', async () => {
    expect(await proveRecord(statement, rowsOf(rows.slice(1)), place())).toBe('rows_differ');
    expect(await proveRecord(statement, rowsOf(rows), { ...place(), offset: 999 })).toBe('record_missing');
  });
});
