import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import kafkajs, { logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeGeneratedJson } from '../../src/generator/encode-text.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import { builtModule } from '../servers/built.ts';
import { startKafka } from '../servers/kafka-server.ts';
import { Identities } from './identities.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const TABLES = ['journal', 'catalogues', 'account_entries', 'closings', 'recyclings', 'pseudonym_keys'];
const SHARES = { malformed: 0.05, duplicate: 0.02, conflicting: 0.01, late: 0.02, gaps: 0.01 };
const trace = { env: { ZERORATE_LOG_LEVEL: 'trace' } };
let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
});
afterAll(() => zerorate?.remove());

/** Records that no decoder takes, with the subscriber where no decoder looks. */
function spoiled(record: { servedMsisdn: string; servedImsi: string; terminalIp: string }): (string | Buffer)[] {
  const { servedMsisdn: msisdn, servedImsi: imsi, terminalIp } = record;
  return [
    `{"servedMsisdn":${msisdn},"servedImsi":"${imsi}","terminalIp":"${terminalIp}"`,
    `${msisdn} ${imsi} ${terminalIp} and no more`,
    JSON.stringify({ ...record, servedMsisdn: `+${msisdn}` }),
    JSON.stringify({ ...record, servedMsisdn: Number(msisdn), extra: { who: [imsi, terminalIp] } }),
    JSON.stringify({ ...record, servedMsisdn: undefined, nodeId: msisdn, contentType: terminalIp }),
    JSON.stringify({ [msisdn]: imsi, [imsi]: msisdn }),
    JSON.stringify({ ...record, startTime: Number(msisdn), endTime: 1 }),
    JSON.stringify({ ...record, startTime: Number(imsi), uplinkOctets: Number(msisdn) }),
    JSON.stringify({ ...record, uplinkOctets: -Number(msisdn) }),
    JSON.stringify([msisdn, imsi, terminalIp]),
    JSON.stringify({ ...record, zeroRatingTag: msisdn, localSequenceNumber: 9_000_001 }),
    JSON.stringify({ ...record, remoteIp: `${terminalIp}:${msisdn}` }),
    Buffer.concat([Buffer.from(JSON.stringify(record)), Buffer.of(0xff, 0xfe)]),
    Buffer.from(`{"servedMsisdn":"${msisdn}"}`, 'utf16le'),
  ];
}

test('what this looks for it finds: in clear, in UTF-16, in base64, and in octets that were written as numbers', async () => {
  await zerorate.run(['generate', '--out', 'control.ndjson', '--records', '1500', '--seed', '29']);
  const identities = identitiesIn('control.ndjson');
  const [{ servedMsisdn, terminalIp }] = sound('control.ndjson');
  for (const text of [
    `subscriber ${servedMsisdn}`,
    `00${servedMsisdn}00`,
    terminalIp,
    Buffer.from(servedMsisdn, 'utf16le').toString('latin1'),
    `base64:${Buffer.from(`key ${servedMsisdn}`).toString('base64')}`,
    `{"type":"Buffer","data":[${Buffer.from(servedMsisdn).join()}]}`,
  ]) {
    expect(() => identities.expectNoneIn(text, 'a text')).toThrow();
  }
  identities.expectNoneIn('subscriber 999999999999 at 198.51.100.7', 'another text');
});

async function expectNoneInStore(identities: Identities, store: string): Promise<void> {
  const dumps = await zerorate.answers(
    TABLES.map((table) => `SELECT * FROM ${table}`),
    store,
  );
  for (const [at, table] of TABLES.entries()) identities.expectNoneIn(dumps[at], `${table} of ${store}`);
}

test.each(['ndjson', 'csv', 'avro'])(
  'from files of %s nothing that names a subscriber reaches store, logs or results',
  async (format) => {
    const file = `flows.${format}`;
    const shares = Object.entries(SHARES).flatMap(([name, share]) => [`--${name}`, String(share)]);
    for (const out of [file, 'in-clear.ndjson']) {
      const args = ['generate', '--out', out, '--records', '3000', '--seed', '29', ...shares];
      expect(await zerorate.run(args)).toMatchObject({ code: 0 });
    }
    const identities = identitiesIn('in-clear.ndjson');
    if (format === 'ndjson') {
      const [first] = sound('in-clear.ndjson');
      for (const line of spoiled(first))
        appendFileSync(zerorate.path(file), Buffer.concat([Buffer.from(line), Buffer.of(0x0a)]));
    }
    const from = ['--store', format, '--source', file];
    const commands: [number, ...string[]][] = [
      [0, 'run', '--catalogue', CATALOGUE, ...from],
      [0, 'run', '--catalogue', CATALOGUE, ...from],
      [0, 'audit', ...from],
      [0, 'replay', '--verify', ...from],
      [0, 'gaps', '--store', format],
      [0, 'rejections', 'list', '--store', format],
      [2, 'rejections', 'recycle', file, '--why', 'corrected', '--catalogue', CATALOGUE, '--store', format],
      [0, 'fraud', '--store', format, '--from', '1970-01-01', '--to', '2149-01-01'],
      [0, 'subscriber', sound('in-clear.ndjson')[0].servedMsisdn, '--store', format],
      [
        0,
        'subscriber',
        'erase',
        sound('in-clear.ndjson')[0].servedMsisdn,
        '--who',
        'dpo',
        '--why',
        'asked',
        '--store',
        format,
      ],
      [0, 'audit', ...from],
      [2, 'run', '--catalogue', CATALOGUE, '--source', CATALOGUE, '--store', format],
    ];
    for (const [expected, ...command] of commands) {
      const { stdout, stderr, code } = await zerorate.run(command, trace);
      identities.expectNoneIn(stdout, `${command.slice(0, 2).join(' ')}: standard output`);
      identities.expectNoneIn(stderr, `${command.slice(0, 2).join(' ')}: standard error`);
      expect(code, `${command.join(' ')}: ${stderr}`).toBe(expected);
    }
    identities.expectNoneIn(readFileSync(zerorate.path(`${format}/quota-updates.ndjson`), 'utf8'), 'quota updates');
    await expectNoneInStore(identities, format);
    const [{ rejected }] = await zerorate.rows<{ rejected: number }>(
      'SELECT count() AS rejected FROM rejections',
      format,
    );
    expect(rejected).toBeGreaterThan(50);
  },
);

test('from Kafka nothing that names a subscriber reaches store, logs or quota updates', async () => {
  const server = await startKafka();
  const kafka = new kafkajs.Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING });
  try {
    const identities = identitiesIn('in-clear.ndjson');
    const messages = kafkaMessages(identities);
    const admin = kafka.admin();
    await admin.createTopics({ topics: [{ topic: 'flows', numPartitions: 2, replicationFactor: 1 }] });
    await admin.disconnect();
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic: 'flows', messages });
    await producer.disconnect();
    await writeFile(
      zerorate.path('kafka.yaml'),
      `catalogue: ${CATALOGUE}
source:
  kafka: { brokers: [${server.brokers.map((broker) => `"${broker}"`).join(', ')}], topic: flows, groupId: flows, valueFormat: json, fetchWaitTimeoutMs: 100 }
store: { dir: kafka }
batch: { maxRecords: 500, maxDelayMs: 100 }
`,
    );
    const stderr = await runUntilBooked(messages.length, () => server.stop());
    expect(stderr).toContain('"msg":"booked"');
    // What kafkajs says is in it, too.
    expect(stderr).toContain('Response Metadata');
    identities.expectNoneIn(stderr, 'the log of an engine, its brokers gone at the end');
    await expectNoneInStore(identities, 'kafka');
  } finally {
    await server.stop();
  }
});

/** The engine at its most talkative until all is booked; then `spoil` takes its brokers away, and it is stopped. */
async function runUntilBooked(records: number, spoil: () => Promise<void>): Promise<string> {
  const child = spawn(process.execPath, [await builtModule('main.js'), 'run', '--config', 'kafka.yaml'], {
    cwd: zerorate.directory,
    env: { ...process.env, ...trace.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(child, 'exit');
  let log = '';
  let isSpoiled = false;
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    const counts = [...log.matchAll(/"records":(\{[^}]*\}),"msg":"booked"/g)].flatMap(([, json]) =>
      Object.values<number>(JSON.parse(json)),
    );
    if (isSpoiled || counts.reduce((sum, count) => sum + count, 0) < records) return;
    isSpoiled = true;
    void spoil().then(() => setTimeout(() => child.kill('SIGTERM'), 3000));
  });
  await exit;
  return log;
}

/** Of all kinds, and those that cannot be read under another key. */
function kafkaMessages(identities: Identities): { key: string; value: Buffer }[] {
  const { catalogue } = parseCatalogue(readFileSync(CATALOGUE, 'utf8'), CATALOGUE);
  const [startTimeMs, endTimeMs] = [Date.UTC(2026, 9, 1), Date.UTC(2026, 9, 2)];
  const targets = catalogue?.applications ?? [];
  const options = { seed: 31, records: 2000, subscribers: 300, targets, startTimeMs, endTimeMs, ...SHARES };
  const messages = [...generateRecords(options)].map((record) => {
    if (record.kind !== 'malformed') identities.add(record.record);
    const key = record.kind === 'malformed' ? record.key : record.record.servedMsisdn;
    identities.add({ servedMsisdn: key });
    return { key, value: Buffer.from(encodeGeneratedJson(record)) };
  });
  const others = spoiled(sound('in-clear.ndjson')[0]).map((value) => ({
    key: messages[0].key,
    value: Buffer.from(value),
  }));
  return [...messages, ...others];
}

function identitiesIn(file: string): Identities {
  const identities = new Identities();
  for (const record of sound(file)) identities.add(record);
  expect(identities.size).toBeGreaterThan(1000);
  return identities;
}

function sound(file: string): { servedMsisdn: string; servedImsi: string; terminalIp: string }[] {
  return readFileSync(zerorate.path(file), 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}
