import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { pythonPackages } from '../servers/python-packages.ts';
import { Zerorate } from './zerorate.fixture.ts';

const FOLDER = packagePath('fixtures/cdr');
const OUTCOMES =
  'SELECT application_id, reason, sum(records) AS records, sum(octets) AS octets FROM outcomes GROUP BY ALL ORDER BY ALL';
const CHARGES =
  'SELECT application_id, reason, evidence, currency, count() AS records, sum(sponsored_octets) AS sponsored, ' +
  'sum(charge_micros) AS micros FROM charges GROUP BY ALL ORDER BY ALL';
const ROWS = 'SELECT * EXCEPT (topic, subscriber) FROM charges ORDER BY offset';

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
  for (const [source, store] of [
    ['pgw.cdr', 'cdrs'],
    ['pgw.ndjson', 'flows'],
    ['chf.cdr', 'chf-cdrs'],
    ['chf.ndjson', 'chf-flows'],
  ]) {
    expect(await run(`${FOLDER}/${source}`, store)).toMatchObject({ code: 0 });
  }
});
afterAll(() => zerorate?.remove());

function run(source: string, store: string, args: string[] = []) {
  return zerorate.run(['run', '--config', `${FOLDER}/zerorate.yaml`, '--source', source, '--store', store, ...args]);
}

describe('CDRs that another encoder wrote', () => {
  test('are rated to the totals of their flow records: by application and reason, octets and charges', async () => {
    const outcomes = await zerorate.rows<{ application_id: string; reason: string }>(OUTCOMES, 'cdrs');
    expect(outcomes).toEqual(await zerorate.rows(OUTCOMES, 'flows'));
    const charges = await zerorate.rows<{ micros: number; evidence: string }>(CHARGES, 'cdrs');
    expect(charges).toEqual(await zerorate.rows(CHARGES, 'flows'));
    expect(await zerorate.rows(ROWS, 'cdrs')).toEqual(await zerorate.rows(ROWS, 'flows'));

    expect(outcomes.map(({ application_id, reason }) => `${application_id} ${reason}`)).toEqual([
      ' evidence_conflict',
      ' no_evidence',
      ' unknown_identity',
      'chatter content_not_covered',
      'chatter quota_exhausted',
      'chatter quota_reached',
      'chatter sponsored',
      'lumen-video sponsored',
    ]);
    expect(charges.every(({ evidence }) => evidence === 'cdr')).toBe(true);
    expect(charges.reduce((sum, { micros }) => sum + micros, 0)).toBeGreaterThan(0);
  });

  test('of a CHF are rated to the totals of theirs, too', async () => {
    for (const sql of [OUTCOMES, CHARGES, ROWS]) {
      const rows = await zerorate.rows(sql, 'chf-cdrs');
      expect(rows).toEqual(await zerorate.rows(sql, 'chf-flows'));
      expect(rows.length).toBeGreaterThan(3);
    }
    expect(await zerorate.rows('SELECT * FROM sequence_gaps', 'chf-cdrs')).toEqual([]);
    expect(await zerorate.rows('SELECT * FROM rejections', 'chf-cdrs')).toEqual([]);
  });

  test('show which CDR of the gateway is missing, where its numbers begin again too', async () => {
    const gaps = await zerorate.rows('SELECT node_id, first_missing, last_missing, missing FROM sequence_gaps', 'cdrs');
    const lost = 4294967236 + 40;
    expect(gaps).toEqual([{ node_id: 'pgw-north-1/cdr', first_missing: lost, last_missing: lost, missing: 1 }]);
  });

  test('estimate in the statement what the missing CDR held, and name no node', async () => {
    const args = ['statement', '--sponsor', 'lumen', '--month', '2026-11', '--format', 'json'];
    const { code, stdout } = await zerorate.run([...args, '--store', 'cdrs']);
    expect(code).toBe(0);
    expect(Number(JSON.parse(stdout).completeness.missingRecords.sponsoredOctets)).toBeGreaterThan(0);
    expect(stdout).not.toContain('pgw-north-1');
  });

  test('are booked once: packed, under another name, and as flow records', async () => {
    const packed = zerorate.path('pgw.cdr.gz');
    writeFileSync(packed, gzipSync(readFileSync(`${FOLDER}/pgw.cdr`)));
    const renamed = zerorate.path('again.cdr');
    writeFileSync(renamed, readFileSync(`${FOLDER}/pgw.cdr`));
    const counts =
      'SELECT count() AS batches, sum(records_charged) AS charged, sum(records_duplicate) AS duplicates FROM batches';
    const [before] = await zerorate.rows<{ charged: number }>(counts, 'cdrs');
    expect(await run(packed, 'cdrs')).toMatchObject({ code: 0 });
    expect(await zerorate.rows(counts, 'cdrs')).toEqual([before]);
    expect(await run(renamed, 'cdrs')).toMatchObject({ code: 0 });
    expect(await run(`${FOLDER}/pgw.ndjson`, 'cdrs')).toMatchObject({ code: 0 });
    const records = readFileSync(`${FOLDER}/pgw.ndjson`, 'utf8').trim().split('\n').length;
    // Packed and under another name it is the same file; as flow records it is another one, of the same records.
    expect(await zerorate.rows(counts, 'cdrs')).toEqual([{ batches: 2, charged: before.charged, duplicates: records }]);
  });

  test('are audited against their file', async () => {
    const args = ['--config', `${FOLDER}/zerorate.yaml`, '--store', 'cdrs', '--source', `${FOLDER}/pgw.cdr`];
    const { code, stdout } = await zerorate.run(['audit', '--against-source', ...args]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/\bcharges\b/)]);
  });

  test('check says what a file holds, explain what becomes of one of its records', async () => {
    const checked = await zerorate.run(['check', '--source', `${FOLDER}/pgw.cdr`]);
    expect(checked).toMatchObject({ code: 0 });
    expect(checked.stdout).toMatch(
      /pgw\.cdr: TS 32\.297 file 17 of its node, release 15, 119 CDRs, closure: file open time limit, 2 CDRs lost; \d+ records, all of them can be rated\n$/,
    );
    const of = (offset: string) =>
      zerorate.run([
        'explain',
        `${FOLDER}/pgw.cdr`,
        '--offset',
        offset,
        '--config',
        `${FOLDER}/zerorate.yaml`,
        '--store',
        'flows',
      ]);
    const explained = await of('1');
    expect(explained).toMatchObject({ code: 0 });
    expect(explained.stdout).toMatch(
      /evidence +no tag; the identities of lumen-video; no prefix holds .*; evidence: cdr\n/,
    );
    expect(explained.stdout).toMatch(/content +text: 25 % is sponsored/);
    expect(await of('9999')).toMatchObject({ code: 2, stderr: expect.stringMatching(/has \d+ records/) });
  });

  test('a damaged CDR is a rejection that shows no subscriber', async () => {
    const octets = Buffer.from(readFileSync(`${FOLDER}/pgw.cdr`));
    const at = octets.readUInt32BE(4);
    octets.writeUInt8(0x00, at + 6);
    const path = zerorate.path('damaged.cdr');
    writeFileSync(path, octets);
    expect(await run(path, 'damaged')).toMatchObject({ code: 0 });
    const [rejection, ...others] = await zerorate.rows<{ payload: string }>(
      'SELECT reason, payload FROM rejections',
      'damaged',
    );
    expect(others).toEqual([]);
    expect(rejection).toMatchObject({ reason: 'malformed', payload: expect.stringContaining('CDR 1 at octet 57: ') });
  });

  test('a file that was not whole continues where it was, once it is', async () => {
    const path = zerorate.path('pgw.cdr');
    const octets = readFileSync(`${FOLDER}/pgw.cdr`);
    writeFileSync(path, octets.subarray(0, 20_000));
    const { code, stderr } = await run(path, 'grown');
    expect([code, stderr]).toEqual([0, expect.stringContaining('ends with a last CDR that is not whole')]);
    writeFileSync(path, octets);
    expect(await run(path, 'grown')).toMatchObject({ code: 0 });
    expect(await zerorate.rows(OUTCOMES, 'grown')).toEqual(await zerorate.rows(OUTCOMES, 'flows'));
  });

  test('a file that ends inside of its header waits for its rest, and if none follows it is refused with the remedy', async () => {
    const cut = zerorate.path('cut.cdr');
    writeFileSync(cut, readFileSync(`${FOLDER}/pgw.cdr`).subarray(0, 55));
    const growing = await run(cut, 'none');
    expect([growing.code, growing.stderr]).toEqual([
      0,
      expect.stringMatching(/cut\.cdr: .* file header that is not whole/),
    ]);
    // So it is beside a file that is booked, for an audit, too.
    const both = ['--config', `${FOLDER}/zerorate.yaml`, '--source', `${FOLDER}/pgw.cdr`, '--source', cut];
    expect(await zerorate.run(['run', ...both, '--store', 'beside'])).toMatchObject({ code: 0 });
    expect(await zerorate.run(['audit', '--against-source', ...both, '--store', 'beside'])).toMatchObject({ code: 0 });
    const { code, stderr } = await run(cut, 'none', ['--final']);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /cut\.cdr: ends at octet 55, inside of its header of 57 octets; fetch the file again, whole/,
    );
  });
});

test('flows of goflow2 are charged to whose the address was', async () => {
  const flow = {
    type: 'IPFIX',
    sequence_num: 1,
    sampling_rate: 0,
    sampler_address: '192.0.2.1',
    time_flow_start_ns: Date.UTC(2026, 9, 5) * 1e6,
    time_flow_end_ns: Date.UTC(2026, 9, 5) * 1e6,
    bytes: 1000,
    src_addr: '10.20.0.7',
    dst_addr: '198.51.100.7',
    src_port: 50_000,
    dst_port: 443,
    proto: 'TCP',
  };
  const back = { ...flow, src_addr: flow.dst_addr, dst_addr: flow.src_addr, bytes: 5000 };
  const flows = zerorate.path('flows.json');
  writeFileSync(
    flows,
    [flow, back, { ...flow, src_addr: '10.20.0.8' }].map((line) => `${JSON.stringify(line)}\n`).join(''),
  );
  const terminals = zerorate.path('terminals.csv');
  writeFileSync(terminals, 'prefix,from,to,msisdn\n10.20.0.7,2026-10-01T00:00:00Z,,999000000001\n');
  const source = ['--source', flows, '--format', 'goflow2'];
  const args = ['run', '--catalogue', packagePath('fixtures/demo/catalogue.yaml'), ...source, '--store', 'goflow2'];
  expect(await zerorate.run(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('--terminals FILE') });
  expect(await zerorate.run([...args, '--terminals', terminals])).toMatchObject({ code: 0 });
  const charges = await zerorate.rows(
    'SELECT application_id, evidence, node_id, uplink_octets, downlink_octets FROM charges ORDER BY offset',
    'goflow2',
  );
  const chat = { application_id: 'chatter', evidence: 'ip', node_id: '192.0.2.1/content' };
  expect(charges).toEqual([
    { ...chat, uplink_octets: 1000, downlink_octets: 0 },
    { ...chat, uplink_octets: 0, downlink_octets: 5000 },
  ]);
  expect(await zerorate.rows('SELECT reason, detail FROM rejections', 'goflow2')).toEqual([
    { reason: 'missing_field', detail: 'servedMsisdn is missing' },
  ]);
  expect(await zerorate.run(['check', ...source, '--terminals', terminals])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('3 records, to be rejected: 1 missing_field'),
  });
});

test('the fixtures are what their script writes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zerorate-cdr-'));
  const env = { ...process.env, PYTHONPATH: await pythonPackages('pycrate-0.8.1', ['pycrate==0.8.1']) };
  try {
    execFileSync('python3', [`${FOLDER}/make.py`, folder], { env });
    for (const name of ['pgw.cdr', 'pgw.ndjson', 'chf.cdr', 'chf.ndjson']) {
      expect(readFileSync(join(folder, name)).equals(readFileSync(join(FOLDER, name))), name).toBe(true);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
