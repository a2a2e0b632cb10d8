import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packagePath } from '../../src/platform/package-paths.ts';

export interface DiskFigures {
  records: number;
  journalRows: number;
  journalOctets: number;
  /** Of the records in Avro. */
  sourceOctets: number;
}

/** Books generated records into an embedded store of its own, and asks ClickHouse what the journal takes. */
export async function measureDisk(records: number, seed: number): Promise<DiskFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-capacity-'));
  const zerorate = async (...args: string[]) =>
    (await promisify(execFile)(process.execPath, [packagePath('dist/main.js'), ...args], { maxBuffer: 2 ** 26 }))
      .stdout;
  const [file, store] = [join(folder, 'flows.avro'), join(folder, 'store')];
  const catalogue = packagePath('fixtures/demo/catalogue.yaml');
  try {
    await zerorate('generate', '--out', file, '--records', String(records), '--seed', String(seed));
    await zerorate('run', '--catalogue', catalogue, '--source', file, '--store', store);
    const sql =
      "SELECT sum(rows) AS rows, sum(bytes_on_disk) AS octets FROM system.parts WHERE active AND table = 'journal'";
    const { rows, octets } = JSON.parse(await zerorate('query', sql, '--store', store, '--format', 'JSONEachRow'));
    const journal = { journalRows: Number(rows), journalOctets: Number(octets) };
    return { records, ...journal, sourceOctets: (await stat(file)).size };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
