import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPEN_STORE } from '../../engine/engine.fixture.ts';
import { closeMonth } from '../closing/close-month.ts';
import { readCoverage } from '../closing/coverage.ts';
import { coveredCsv, coveredLeaves } from '../closing/covered-rows.ts';
import { Booker, bookCorrection, bookEntry, rowsOf } from './finance.fixture.ts';
import { MerkleTree } from './merkle.ts';
import { type FileRow, type Resaved, readRowsFile } from './rows-file.ts';
import { statementOf } from './statement.ts';
import type { Statement } from './statement-document.ts';
import { type Verification, verifyStatement } from './verify-statement.ts';

export interface BookedStatement {
  statement: Statement;
  /** The statement of the previous month, closed. */
  previous: Statement;
  csv: string;
  rows: FileRow[];
  /** The same export in pages of 1, 2, 5 and 12 rows, and the root over each. */
  inPages: { csv: string; root: string }[];
}

/** Returns a closed statement with charges in two tiers, adjustments, a correction and entries, and its exported rows. */
export async function bookedStatement(): Promise<BookedStatement> {
  const { store, close } = await OPEN_STORE.embedded();
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
  await bookEntry(store, { number: 1, amountMicros: 5_000_000, effectiveAt: '2026-10-10T08:00:00Z' });
  await bookEntry(store, { number: 2, amountMicros: 1_000_000, effectiveAt: '2026-10-12T08:00:00Z' });
  await closeMonth(store, { sponsorId: 'chatter', month: '2026-10', who: 'Ada', nowMs: Date.UTC(2026, 10, 20) });
  const coverage = await readCoverage(store, 'chatter', '2026-10');
  const statement = await statementOf(store, coverage);
  const exported = async (pageRows?: number) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of coveredCsv(store, coverage, statement.proof.leaves, pageRows)) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  };
  const csv = await exported();
  const inPages: BookedStatement['inPages'] = [];
  for (const pageRows of [1, 2, 5, 12]) {
    const tree = new MerkleTree();
    for await (const leaf of coveredLeaves(store, coverage, statement.proof.leaves, pageRows)) tree.add(leaf);
    inPages.push({ csv: await exported(pageRows), root: Buffer.from(tree.root()).toString('hex') });
  }
  const previous = await statementOf(store, await readCoverage(store, 'chatter', '2026-09'));
  await close();
  return { statement, previous, csv, rows: (await readRows(csv)).rows, inPages };
}

/** Returns the rows of a file with this content, and how it was re-saved. Rejects as `readRowsFile` does. */
export async function readRows(content: string | Buffer): Promise<{ rows: FileRow[]; resaved: Resaved[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'zerorate-verify-'));
  try {
    const path = join(directory, 'rows.csv');
    writeFileSync(path, content);
    const [rows, resaved]: [FileRow[], Resaved[]] = [[], []];
    for await (const row of readRowsFile(path, (how) => resaved.push(how))) rows.push(row);
    return { rows, resaved };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export function verified(
  statement: Statement,
  rows: readonly FileRow[] | null,
  previous: Statement | null = null,
): Promise<Verification> {
  return verifyStatement(statement, { rows: rows === null ? null : rowsOf(rows), previous });
}
