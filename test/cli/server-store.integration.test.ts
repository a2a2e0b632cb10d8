import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { startClickHouse } from '../servers/clickhouse-server.ts';
import { Zerorate } from './zerorate.fixture.ts';

let server: Awaited<ReturnType<typeof startClickHouse>>;
let zerorate: Zerorate;
const env = { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) };

beforeAll(async () => {
  [server, zerorate] = await Promise.all([startClickHouse(), Zerorate.build()]);
});
afterAll(async () => {
  await server?.stop();
  await zerorate?.remove();
});

test('the same files over a server and over the embedded store give the same charges, row by row', async () => {
  const catalogue = packagePath('fixtures/demo/catalogue.yaml');
  const database = `zerorate_cli_${process.pid}`;
  await writeFile(
    zerorate.path('server.yaml'),
    `catalogue: ${catalogue}
source: { files: [flows.avro] }
store: { url: "${server.url}", database: ${database} }
quotaUpdates: { file: quota-updates.ndjson }
batch: { maxRecords: 3000 }
`,
  );
  const shares = ['--malformed', '0.01', '--duplicate', '0.01', '--late', '0.02'];
  await zerorate.run(['generate', '--out', 'flows.avro', '--records', '10000', '--subscribers', '200', ...shares]);
  const served = await zerorate.run(['run', '--config', 'server.yaml'], { env });
  expect(served).toMatchObject({ code: 0, stdout: expect.stringContaining('10 000 records read in 4 batches') });
  const args = ['run', '--catalogue', catalogue, '--source', 'flows.avro', '--store', 'embedded'];
  expect(await zerorate.run(args, { env })).toMatchObject({ code: 0 });

  const sql = 'SELECT * EXCEPT booking_date FROM charges ORDER BY offset';
  const query = (store: string[]) => zerorate.run(['query', sql, ...store, '--format', 'CSV'], { env });
  const overServer = await query(['--config', 'server.yaml']);
  expect(overServer.stderr).toBe('');
  expect(overServer.stdout.split('\n').length).toBeGreaterThan(3000);
  expect(await query(['--store', 'embedded'])).toEqual(overServer);
  expect(await zerorate.run(['run', '--config', 'server.yaml'], { env })).toMatchObject({
    stdout: expect.stringMatching(
      /^0 records read in 0 batches.*\nnothing new: every whole record of the files is booked already\n/,
    ),
  });
  expect(await zerorate.run(['query', `DROP DATABASE ${database}`, '--config', 'server.yaml'], { env })).toMatchObject({
    code: 1,
  });
});

test('a server that does not answer is named, with what to look at', async () => {
  await writeFile(
    zerorate.path('nowhere.yaml'),
    `catalogue: ${packagePath('fixtures/demo/catalogue.yaml')}
source: { files: [flows.avro] }
store: { url: "http://127.0.0.1:9" }
quotaUpdates: { file: quota-updates.ndjson }
`,
  );
  const { code, stderr } = await zerorate.run(['run', '--config', 'nowhere.yaml'], { env });
  expect(stderr).toMatch(
    /^http:\/\/127\.0\.0\.1:9: ClickHouse does not answer: .+ store\.url right\? \[store_unreachable\]/,
  );
  expect(code).toBe(1);
});
