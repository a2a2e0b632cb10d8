import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { type PasswordSasl, redacted } from './config.ts';
import type { ConfigOverrides } from './config-merge.ts';
import { loadConfig } from './load-config.ts';

const KEY = '0123456789abcdef'.repeat(4);
const FILES_YAML = `catalogue: catalogue.yaml
source:
  files: [flows.ndjson, /data/more]
store:
  dir: ../store
`;
const KAFKA_YAML = `catalogue: catalogue.yaml
source:
  kafka:
    brokers: [k1:9092, "[::1]:9092"]
    topic: flow-records
    avro: { header: confluent, schemas: { 7: v7.avsc }, bareSchema: bare.avsc }
    tls: { caFile: ca.pem }
    sasl: { mechanism: plain, username: u, passwordFile: sasl.txt }
store:
  url: https://ch:8443
  passwordFile: /run/secrets/store
pseudonymKey: { file: key.hex }
`;

const DISK: Record<string, string> = {
  '/etc/zerorate/key.hex': `${KEY}\n`,
  '/etc/zerorate/sasl.txt': 'sasl-secret\n',
  '/run/secrets/store': 'store-secret\n',
};

function load(yaml: string | null, env: Record<string, string> = {}, overrides: ConfigOverrides = {}) {
  const disk: Record<string, string> = { ...DISK, ...(yaml !== null && { '/etc/zerorate/z.yaml': yaml }) };
  return loadConfig({
    file: yaml === null ? undefined : 'zerorate/z.yaml',
    env: { HOME: '/home/u', ...env },
    overrides,
    workingDirectory: '/etc',
    readFile: (path) => {
      const text = disk[path];
      if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
      return text;
    },
  });
}

const configOf = (...args: Parameters<typeof load>) => {
  const { config, faults } = load(...args);
  expect(faults).toBeUndefined();
  return config!;
};
const linesOf = (...args: Parameters<typeof load>) => (load(...args).faults ?? []).map(formatFault);

test('files into an embedded store: defaults, and paths relative to the file', () => {
  expect(configOf(FILES_YAML)).toEqual({
    catalogue: '/etc/zerorate/catalogue.yaml',
    source: { files: ['/etc/zerorate/flows.ndjson', '/data/more'] },
    store: { dir: '/etc/store' },
    quotaUpdates: { file: '/etc/store/quota-updates.ndjson', minIntervalMs: 0 },
    pseudonymKey: null,
    pseudonymKeyFile: null,
    signingKeyFile: null,
    engine: { threads: 1 },
    batch: { maxRecords: 100_000, maxBytes: 67_108_864, maxTotalBytes: 536_870_912, maxDelayMs: 500 },
    duplicates: { windowRecords: 1_000_000 },
    credit: { checkIntervalMs: 1000 },
    closing: { graceDelayMs: 0 },
    limits: { maxRecordBytes: 65_536, rejectionPayloadBytes: 4096, maxFutureSkewMs: 86_400_000 },
    leakage: { maxRows: 100 },
    msisdn: { acceptPlus: false, internationalPrefix: null },
    health: null,
    reload: { intervalMs: 0 },
    sequences: { checkIntervalMs: 60_000 },
    tracing: {},
    log: { level: 'info', format: 'json' },
  });
});

test('mappings of other records: their paths are relative to who names them', () => {
  const yaml = FILES_YAML.replace('store:', '  format: goflow2\n  goflow2: { terminals: t.csv }\nstore:');
  expect(configOf(yaml).source).toMatchObject({ format: 'goflow2', goflow2: { terminals: '/etc/zerorate/t.csv' } });
  const { source } = configOf(yaml, { ZERORATE_SOURCE_TERMINALS: 'u.csv' });
  expect(source).toMatchObject({ goflow2: { terminals: '/etc/u.csv' } });
  // A topic takes the place of the files, and of all that is theirs.
  expect(linesOf(yaml, { ZERORATE_KAFKA_BROKERS: 'k:1', ZERORATE_KAFKA_TOPIC: 't' })).toEqual([]);
});

test('Kafka into a server: defaults, paths and secrets from their files', () => {
  const { source, store, quotaUpdates, pseudonymKey } = configOf(KAFKA_YAML);
  expect(source.kafka).toMatchObject({
    brokers: ['k1:9092', '[::1]:9092'],
    topic: 'flow-records',
    groupId: 'zerorate',
    clientId: 'zerorate',
    valueFormat: 'avro',
    avro: { header: 'confluent', schemas: { 7: '/etc/zerorate/v7.avsc' }, bareSchema: '/etc/zerorate/bare.avsc' },
    tls: { caFile: '/etc/zerorate/ca.pem' },
    sasl: { mechanism: 'plain', username: 'u' },
    sessionTimeoutMs: 30_000,
  });
  const sasl = source.kafka?.sasl as PasswordSasl | undefined;
  expect(sasl?.password.reveal()).toBe('sasl-secret');
  expect(store).toMatchObject({ url: 'https://ch:8443', database: 'zerorate', username: 'default' });
  expect(store.url !== undefined && store.password?.reveal()).toBe('store-secret');
  expect(pseudonymKey?.reveal()).toBe(KEY);
  expect(quotaUpdates).toEqual({ topic: 'quota-updates', minIntervalMs: 0 });
});

test('no secret shows, however the configuration is printed', () => {
  const config = configOf(KAFKA_YAML);
  const prints = [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config), `${config.pseudonymKey}`];
  for (const print of [...prints, JSON.stringify(redacted(config))]) {
    expect(print).not.toMatch(/sasl-secret|store-secret|0123456789abcdef/);
    expect(print).toContain('[redacted]');
  }
});

test('the command line goes before the environment, which goes before the file', () => {
  const env = { ZERORATE_LOG_LEVEL: 'warn', ZERORATE_BATCH_MAX_RECORDS: '5', ZERORATE_CATALOGUE: 'env.yaml' };
  const config = configOf(FILES_YAML, env, { log: { level: 'debug' } });
  expect(config.log.level).toBe('debug');
  expect(config.batch).toEqual({ maxRecords: 5, maxBytes: 67_108_864, maxTotalBytes: 536_870_912, maxDelayMs: 500 });
  // relative to the working directory, as a shell's user means it
  expect(config.catalogue).toBe('/etc/env.yaml');
});

test('everything can come from the environment', () => {
  const { source, store, pseudonymKey } = configOf(null, {
    ZERORATE_CATALOGUE: 'c.yaml',
    ZERORATE_KAFKA_BROKERS: 'k1:9092, k2:9092',
    ZERORATE_KAFKA_TOPIC: 'flows',
    ZERORATE_KAFKA_TLS: 'true',
    ZERORATE_STORE_URL: 'http://ch:8123',
    ZERORATE_STORE_PASSWORD: 'p',
    ZERORATE_PSEUDONYM_KEY: KEY,
    ZERORATE_LOG_LEVEL: '',
  });
  expect(source.kafka).toMatchObject({ brokers: ['k1:9092', 'k2:9092'], topic: 'flows', tls: true, sasl: null });
  expect(store.url !== undefined && store.password?.reveal()).toBe('p');
  expect(pseudonymKey?.reveal()).toBe(KEY);
});

test('everything can come from the command line', () => {
  const { source, store, quotaUpdates } = configOf(
    null,
    {},
    { catalogue: 'c.yaml', source: { files: ['f'], format: undefined }, store: { dir: 'd' } },
  );
  expect([source, store, quotaUpdates]).toEqual([
    { files: ['/etc/f'] },
    { dir: '/etc/d' },
    { file: '/etc/d/quota-updates.ndjson', minIntervalMs: 0 },
  ]);
});

test('another form of source or store takes the place of the weaker one', () => {
  const config = configOf(KAFKA_YAML, {}, { source: { files: ['f'] }, store: { dir: 'd' } });
  expect([config.source, config.store]).toEqual([{ files: ['/etc/f'] }, { dir: '/etc/d' }]);
  const env = { ZERORATE_STORE_URL: 'http://ch:8123', ZERORATE_PSEUDONYM_KEY: KEY, ZERORATE_QUOTA_UPDATES_FILE: 'q' };
  expect(configOf(FILES_YAML, env).store).toMatchObject({ url: 'http://ch:8123' });
});

const SERVER = 'store: { url: http://ch:8123 }\npseudonymKey: { file: key.hex }\n';
const HEAD = 'catalogue: c\nsource: { files: [f] }\n';
const KAFKA = 'catalogue: c\nsource:\n  kafka:\n    brokers: [k:1]\n    topic: t\n';
const EMBEDDED = 'store: { dir: d }\n';

test.each<[string, string, string[]]>([
  [
    'a password in the file',
    `${HEAD}store:\n  url: http://ch:8123\n  password: geheim\npseudonymKey: { file: key.hex }\nquotaUpdates: { file: q }\n`,
    [
      'zerorate/z.yaml:5: store.password: a secret does not belong into this file: set ZERORATE_STORE_PASSWORD or store.passwordFile',
    ],
  ],
  [
    'a SASL password in the file',
    `${KAFKA}    sasl: { mechanism: plain, username: u, password: geheim, passwordFile: sasl.txt }\n${EMBEDDED}`,
    [
      'zerorate/z.yaml:6: source.kafka.sasl.password: a secret does not belong into this file: set ZERORATE_KAFKA_SASL_PASSWORD or source.kafka.sasl.passwordFile',
    ],
  ],
  [
    'a key in the file',
    `${HEAD}${EMBEDDED}pseudonymKey: geheim`,
    [
      'zerorate/z.yaml:4: pseudonymKey: expected a map with a file; the key itself does not belong into this file: set ZERORATE_PSEUDONYM_KEY',
    ],
  ],
  [
    'a password in the URL',
    `${HEAD}store: { url: "http://u:geheim@ch:8123" }\n`,
    [
      'zerorate/z.yaml:3: store.url: a URL with a user or password in it is refused: use username, and ZERORATE_STORE_PASSWORD or passwordFile',
    ],
  ],
  [
    'a URL that is none',
    `${HEAD}store: { url: ch:8123 }\n`,
    ['zerorate/z.yaml:3: store.url: expected http://host:port or https://host:port'],
  ],
  ['no source', `catalogue: c\n${EMBEDDED}`, ['zerorate/z.yaml:1: source: is missing: expected a map']],
  [
    'an empty source',
    `catalogue: c\nsource: {}\n${EMBEDDED}`,
    ['zerorate/z.yaml:2: source: is missing: name files or kafka'],
  ],
  [
    'two sources',
    `${KAFKA}  files: [f]\n${EMBEDDED}`,
    ['zerorate/z.yaml:2: source: name either files or kafka, not both'],
  ],
  [
    'a format of no files',
    `${KAFKA}  format: csv\n${EMBEDDED}`,
    ['zerorate/z.yaml:6: source.format: has a meaning with files only'],
  ],
  [
    'a mapping of CDRs of no files',
    `${KAFKA}  cdr: { contentTypes: { ratingGroups: { 100: text } } }\n${EMBEDDED}`,
    ['zerorate/z.yaml:6: source.cdr: has a meaning with files only'],
  ],
  [
    'a content type and a rating group that are none',
    `${HEAD.replace('files: [f]', 'files: [f], cdr: { contentTypes: { ratingGroups: { 100: txt, a: text } } }')}${EMBEDDED}`,
    [
      'zerorate/z.yaml:2: source.cdr.contentTypes.ratingGroups.100: expected one of text, voice, image, video, other, got "txt" (did you mean "text"?)',
      'zerorate/z.yaml:2: source.cdr.contentTypes.ratingGroups.a: expected a rating group: a whole number',
    ],
  ],
  [
    'a broker without port',
    `${KAFKA.replace('k:1', 'k')}${EMBEDDED}`,
    ['zerorate/z.yaml:4: source.kafka.brokers[0]: expected host:port'],
  ],
  [
    'a Confluent header without schemas',
    `${KAFKA}    avro: { header: confluent }\n${EMBEDDED}`,
    [
      'zerorate/z.yaml:6: source.kafka.avro.schemas: is missing: records with a Confluent header need the schema of each id, or a registry',
    ],
  ],
  [
    'a schema id that is none',
    `${KAFKA}    avro: { schemas: { x: a, 4294967295: b } }\n${EMBEDDED}`,
    ['zerorate/z.yaml:6: source.kafka.avro.schemas.x: expected a schema id: a whole number'],
  ],
  [
    'a heartbeat too slow',
    `${KAFKA}    heartbeatIntervalMs: 20000\n${EMBEDDED}`,
    [
      'zerorate/z.yaml:6: source.kafka.heartbeatIntervalMs: expected at most 10000, a third of sessionTimeoutMs, got 20000',
    ],
  ],
  [
    'a certificate without key',
    `${KAFKA}    tls: { certFile: c }\n${EMBEDDED}`,
    ['zerorate/z.yaml:6: source.kafka.tls: certFile and keyFile go together'],
  ],
  [
    'SASL without password',
    `${KAFKA}    sasl: { mechanism: plain, username: u }\n${EMBEDDED}`,
    ['zerorate/z.yaml:6: source.kafka.sasl: no password: set ZERORATE_KAFKA_SASL_PASSWORD or passwordFile'],
  ],
  [
    'SASL with a lost password',
    `${KAFKA}    sasl: { mechanism: plain, username: u, passwordFile: gone }\n${EMBEDDED}`,
    [
      "zerorate/z.yaml:6: source.kafka.sasl.passwordFile: cannot be read: ENOENT: no such file, open '/etc/zerorate/gone'",
    ],
  ],
  [
    'a quota topic without Kafka',
    `${HEAD}${EMBEDDED}quotaUpdates: { topic: t }`,
    ['zerorate/z.yaml:4: quotaUpdates.topic: a topic needs source.kafka; name a file'],
  ],
  [
    'nowhere for quotas',
    `${HEAD}${SERVER}`,
    ['zerorate/z.yaml:1: quotaUpdates.file: is missing: files with a ClickHouse server need it'],
  ],
  [
    'a server without key',
    `${KAFKA}store: { url: http://ch:8123 }`,
    [
      'zerorate/z.yaml:1: pseudonymKey: is missing: a store on a server needs a key of yours; set ZERORATE_PSEUDONYM_KEY to 64 hex digits (`openssl rand -hex 32`), or pseudonymKey.file',
    ],
  ],
  [
    'a key file that holds none',
    `${HEAD}${EMBEDDED}pseudonymKey: { file: sasl.txt }`,
    [
      'zerorate/z.yaml:4: pseudonymKey.file: expected at least 64 hex digits (32 octets); `openssl rand -hex 32` makes one',
    ],
  ],
  [
    'an international prefix that a country code could be',
    `${HEAD}${EMBEDDED}msisdn: { internationalPrefix: "810" }`,
    ['zerorate/z.yaml:4: msisdn.internationalPrefix: expected 1 to 5 digits that begin with 0, in quotes: "00"'],
  ],
  [
    'a payload above the record',
    `${HEAD}${EMBEDDED}limits: { maxRecordBytes: 100 }`,
    ['zerorate/z.yaml:4: limits.rejectionPayloadBytes: expected at most maxRecordBytes 100, got 4096'],
  ],
  [
    'an unknown key',
    `${HEAD}${EMBEDDED}batch: { maxRecord: 1 }`,
    ['zerorate/z.yaml:4: batch.maxRecord: unknown key (did you mean "maxRecords"?)'],
  ],
  ['a list for a map', '- catalogue', ['zerorate/z.yaml:1: expected a map, got a list']],
  ['no YAML', 'a: [', ['zerorate/z.yaml:1: not valid YAML: unexpected end of the stream within a flow collection']],
])('names %s', (_case, yaml, faults) => {
  const lines = linesOf(yaml);
  expect(lines).toEqual(faults);
  expect(lines.join()).not.toContain('geheim');
});

test.each<[string, Record<string, string>, string[]]>([
  [
    'an unknown variable',
    { ZERORATE_STORE_DRI: 'x' },
    ['ZERORATE_STORE_DRI: unknown variable (did you mean "ZERORATE_STORE_DIR"?)'],
  ],
  [
    'a word that is none',
    { ZERORATE_LOG_LEVEL: 'loud' },
    ['ZERORATE_LOG_LEVEL: log.level: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"'],
  ],
  [
    'no number',
    { ZERORATE_BATCH_MAX_RECORDS: '1e3' },
    ['ZERORATE_BATCH_MAX_RECORDS: batch.maxRecords: expected a number, got "1e3"'],
  ],
  [
    'a number too large',
    { ZERORATE_BATCH_MAX_RECORDS: '9999999' },
    ['ZERORATE_BATCH_MAX_RECORDS: batch.maxRecords: expected at most 1000000, got 9999999'],
  ],
  [
    'a bad entry of a list',
    { ZERORATE_KAFKA_BROKERS: 'k:1,k', ZERORATE_KAFKA_TOPIC: 't' },
    ['ZERORATE_KAFKA_BROKERS: source.kafka.brokers[1]: expected host:port'],
  ],
  [
    'a short key',
    { ZERORATE_PSEUDONYM_KEY: 'c0ffee' },
    ['ZERORATE_PSEUDONYM_KEY: expected at least 64 hex digits (32 octets); `openssl rand -hex 32` makes one'],
  ],
])('names %s in the environment', (_case, env, faults) => {
  expect(linesOf(FILES_YAML, env)).toEqual(faults);
});

test('names the command line', () => {
  expect(linesOf(FILES_YAML, {}, { store: { url: 'x' } })).toEqual([
    'command line: store.url: expected http://host:port or https://host:port',
  ]);
  expect(linesOf(null, {}, { store: { dir: 'd' } })).toEqual([
    'configuration: catalogue: is missing: expected text',
    'configuration: source: is missing: expected a map',
  ]);
});

test('names a configuration file that is not there', () => {
  expect(
    loadConfig({
      file: 'z.yaml',
      env: {},
      readFile: () => {
        throw new Error('gone');
      },
    }).faults,
  ).toEqual([{ file: 'z.yaml', line: null, path: '', message: 'cannot be read: gone' }]);
});

test('a cluster is a matter of a server, and its quorum is the majority unless it is said', () => {
  const yaml = KAFKA_YAML.replace('url: https://ch:8443', 'url: https://ch:8443\n  cluster: { name: carrier }');
  expect(configOf(yaml).store).toMatchObject({ cluster: { name: 'carrier', quorum: 'auto' } });
  expect(configOf(KAFKA_YAML, { ZERORATE_STORE_CLUSTER_NAME: 'named' }).store).toMatchObject({
    cluster: { name: 'named' },
  });
  expect(configOf(KAFKA_YAML).store).toMatchObject({ cluster: null });
  expect(linesOf(yaml.replace('name: carrier', 'name: carrier, quorum: 1')).join()).toContain('store.cluster.quorum');
  expect(linesOf(FILES_YAML.replace('dir: ../store', 'dir: ../store\n  cluster: { name: carrier }')).join()).toContain(
    'has a meaning with url only',
  );
});
