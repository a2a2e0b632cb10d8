import { readFileSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import kafkajs, { type Admin, type Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEMO_CATALOGUE, produceDemoRecords } from '../../src/generator/demo-traffic.fixture.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { runUntilBooked } from './run-until-booked.fixture.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const PERIODS = ['--sponsor', 'chatter', '--from', '2026-09-01', '--to', '2026-12-01'];
const RIGHT = ['--catalogue', DEMO_CATALOGUE];
const MISSED = ['--catalogue', 'missed.yaml'];
const book = (name: string) => ['--book', '--name', name, '--who', 'ada', '--why', 'a prefix was missing'];
/** All current charges by the last row of each record, and all lines. Every store has a pseudonym key of its own. */
const FIELDS =
  'sponsor_id, application_id, plan_id, plan_version, period_start, evidence, content_type, start_time, reason, ' +
  'toInt64(sponsored_octets) AS sponsored, charge_micros, currency, used_octets_after, carry_after';
const CURRENT =
  'SELECT partition, offset, argMax(row, (number, at)) AS current_row FROM (' +
  `SELECT partition, offset, 0 AS number, 0 AS at, 1 AS counts, toString(tuple(${FIELDS})) AS row FROM journal WHERE kind = 'charge' UNION ALL ` +
  `SELECT partition, offset, number, kind = 'charge' AS at, at AS counts, toString(tuple(${FIELDS})) AS row FROM corrections WHERE kind != 'head') ` +
  'GROUP BY partition, offset HAVING argMax(counts, (number, at)) = 1 ORDER BY ALL';
const BALANCES = 'SELECT sponsor_id, balance_micros FROM account_balances ORDER BY ALL';
const CORRECTIONS = "SELECT count() AS n FROM corrections WHERE kind = 'head'";

let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const text = readFileSync(DEMO_CATALOGUE, 'utf8');
  const prefixes = 'prefixes: [198.51.100.0/24, "2001:db8:c4a7::/48"]';
  expect(text).toContain(prefixes);
  await writeFile(zerorate.path('missed.yaml'), text.replace(prefixes, 'prefixes: []'));
});
afterAll(() => zerorate?.remove());

const rerate = (...args: string[]) => zerorate.run(['rerate', ...PERIODS, ...args]);
const stateOf = (store: string) => zerorate.answers([CURRENT, BALANCES], store);
const corrections = async (store: string) => (await zerorate.rows<{ n: number }>(CORRECTIONS, store))[0].n;

interface Shown {
  lines: { newlyBy: string; after: { records: string; chargeMicros: string } }[];
  newlySponsored: { evidence: string; records: string; octets: string; chargeMicros: string }[];
  leftOut: { conflicting: object; erasedSubscribers: object; otherLanes: string[] };
}

/** Shows, books and undoes what was missed: with the right catalogue, and with the one that the records were booked with. */
async function forwardAndBack(missed: string, known: string, source: string[]): Promise<void> {
  const [atFirst, right] = [await stateOf(missed), await stateOf(known)];
  expect(right).not.toEqual(atFirst);
  const dry = await rerate(...RIGHT, ...source);
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was booked') });
  expect(dry.stdout).toMatch(
    /^newly sponsored, had no charge before:\nevidence +records +octets +sponsored octets +charge\n.*\nip +/m,
  );
  const shown: Shown = JSON.parse((await rerate(...RIGHT, ...source, '--format', 'json')).stdout);
  expect(shown.newlySponsored).toMatchObject([{ evidence: 'ip' }]);
  const newly = shown.lines.filter(({ newlyBy }) => newlyBy === 'ip');
  const sum = (of: 'records' | 'chargeMicros') => newly.reduce((total, { after }) => total + BigInt(after[of]), 0n);
  expect([sum('records'), sum('chargeMicros')].map(String)).toEqual([
    shown.newlySponsored[0].records,
    shown.newlySponsored[0].chargeMicros,
  ]);
  const csv = (await rerate(...RIGHT, ...source, '--format', 'csv')).stdout.trim().split('\n');
  expect(csv[0].split(',')).toContain('newlyBy');
  expect(csv.length).toBe(shown.lines.length + 1);
  expect(await stateOf(missed)).toEqual(atFirst);

  const booked = await rerate(...RIGHT, ...source, ...book('missed'));
  expect(booked).toMatchObject({ code: 0, stdout: expect.stringContaining('booked as correction 1, missed') });
  expect(await stateOf(missed)).toEqual(right);
  expect(await rerate(...RIGHT, ...source, ...book('missed'))).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('nothing was booked'),
  });
  await expectSound(source);
  expect(await rerate(...MISSED, ...source, ...book('back'))).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('correction 2, back'),
  });
  expect(await stateOf(missed)).toEqual(atFirst);
  await expectSound(source);
}

async function expectSound(source: string[]): Promise<void> {
  const options = source.filter((option) => option !== '--from-source');
  const results: Finished[] = [
    await zerorate.run(['audit', ...options, ...(source.includes('--from-source') ? ['--against-source'] : [])]),
    await zerorate.run([
      'audit',
      ...options.filter((_, at) => options[at] !== '--source' && options[at - 1] !== '--source'),
    ]),
    await zerorate.run(['replay', '--verify', ...options]),
  ];
  for (const { code, stdout, stderr } of results) expect(code, stdout + stderr).toBe(0);
  expect(results[0].stdout).not.toMatch(/BROKEN|unread/);
}

describe('files', () => {
  const SOURCE = ['--store', 'store', '--source', 'flows.ndjson'];
  const flows = () => zerorate.path('flows.ndjson');
  let content: string;
  const lines = () => content.split('\n');
  /** Changes the first record of some that can be read. */
  const withAnotherPort = () => {
    const at = lines().findIndex((line, index) => index >= 2000 && /"terminalPort":\d+,/.test(line));
    return lines()
      .with(at, lines()[at].replace(/"terminalPort":\d+,/, '"terminalPort":1,'))
      .join('\n');
  };

  beforeAll(async () => {
    const shares = ['--seed', '17', '--subscribers', '40', '--malformed', '0.02', '--duplicate', '0.01'];
    await zerorate.run(['generate', '--out', 'flows.ndjson', '--records', '4000', ...shares]);
    content = readFileSync(flows(), 'utf8');
    await zerorate.run(['run', ...MISSED, '--source', 'flows.ndjson', '--store', 'store']);
    await zerorate.run(['run', ...RIGHT, '--source', 'flows.ndjson', '--store', 'known']);
  });

  test('are read again, and give what an engine would have charged', () => forwardAndBack('store', 'known', SOURCE));

  test.each<[string, () => string, RegExp]>([
    [
      'another record in it',
      withAnotherPort,
      /flows\.ndjson~\w+-0, offsets 0 to \d+ \(lane files, batch 1\): the source proves/,
    ],
    [
      'its end missing',
      () => lines().slice(0, 3000).join('\n'),
      /no longer has all .*\n {2}flows\.ndjson~\w+-0, offsets 0 to 3999 .*\[records_lost\]/s,
    ],
  ])('with %s a file is refused, and nothing is booked', async (_, changed, message) => {
    const before = await corrections('store');
    writeFileSync(flows(), changed());
    const refused = await rerate(...RIGHT, ...SOURCE, ...book('changed'));
    writeFileSync(flows(), content);
    expect(refused.stderr).toMatch(message);
    expect(refused.code).toBe(1);
    expect(await corrections('store')).toBe(before);
  });

  test('another file is not what was booked', async () => {
    writeFileSync(zerorate.path('other.ndjson'), lines().slice(10).join('\n'));
    const refused = await rerate(...RIGHT, '--store', 'store', '--source', 'other.ndjson');
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /no longer has all .*\n {2}flows\.ndjson~\w+-0, offsets 0 to 3999 .*\[records_lost\]/s,
      ),
    });
  });

  test('what is booked is known by its name, although the source is gone', async () => {
    await rename(flows(), zerorate.path('moved.ndjson'));
    const repeated = await rerate(...RIGHT, ...SOURCE, ...book('missed'));
    const other = await rerate(...RIGHT, ...SOURCE, ...book('again'));
    await rename(zerorate.path('moved.ndjson'), flows());
    expect(repeated).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('correction 1 is missed and has the same content'),
    });
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('flows.ndjson') });
  });

  test('without a source to read the command says which to name', async () => {
    expect(await rerate(...RIGHT, '--store', 'store', '--from-source')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('source'),
    });
  });
});

describe('a topic', () => {
  const TOPIC = 'missed-flows';
  let server: KafkaServer;
  let kafka: Kafka;
  let admin: Admin;

  beforeAll(async () => {
    server = await startKafka();
    kafka = new kafkajs.Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
    admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3, replicationFactor: 1 }] });
    await produceDemoRecords(kafka, TOPIC, 5, 3000);
    for (const [name, catalogue] of [
      ['missing', zerorate.path('missed.yaml')],
      ['knowing', DEMO_CATALOGUE],
    ]) {
      await writeFile(
        zerorate.path(`${name}.yaml`),
        `catalogue: ${catalogue}
source:
  kafka: { brokers: ["${server.brokers.join('", "')}"], topic: ${TOPIC}, groupId: ${name}, fetchWaitTimeoutMs: 100, sessionTimeoutMs: 6000, heartbeatIntervalMs: 1000 }
store: { dir: ${name} }
quotaUpdates: { topic: ${name}-quota }
batch: { maxRecords: 200, maxDelayMs: 100 }
`,
      );
      await runUntilBooked(zerorate, [`${name}.yaml`], 3000);
    }
  });
  afterAll(async () => {
    await admin?.disconnect();
    await server?.stop();
  });

  test('is read again in all of its partitions, and gives what an engine would have charged', () =>
    // Kafka has its own order between partitions, and each of them is a lane with its own counters.
    forwardAndBack('missing', 'knowing', ['--config', 'missing.yaml', '--from-source']));

  test('of which retention has taken a part is refused, with what is missing', async () => {
    await admin.fetchTopicOffsets(TOPIC);
    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 1, offset: '250' }] });
    const refused = await rerate(...RIGHT, '--config', 'missing.yaml', '--from-source', ...book('gone'));
    expect(refused.stderr).toMatch(
      /no longer has all .*\n {2}missed-flows-1, offsets 0 to \d+ \(lane missed-flows-1, batch(es)? 1( to \d+)?\); nothing was booked \[records_lost\]/s,
    );
    expect(refused.code).toBe(1);
    expect(await corrections('missing')).toBe(2);
  });
});
