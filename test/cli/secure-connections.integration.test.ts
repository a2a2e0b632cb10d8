import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { createServer as createTlsServer, type Server, type TlsOptions } from 'node:tls';
import kafkajs, { type Admin, logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGeneratedJson } from '../../src/generator/encode-text.ts';
import { generateRecords } from '../../src/generator/generate-records.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { builtModule } from '../servers/built.ts';
import { type Authority, type CertificateFiles, makeAuthority } from '../servers/certificates.ts';
import { type ClickHouseServer, startClickHouse } from '../servers/clickhouse-server.ts';
import { type SecureKafka, startSecureKafka } from '../servers/secure-kafka.ts';
import { startTokenServer, type TokenServer } from '../servers/token-server.ts';
import { Zerorate } from './zerorate.fixture.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
// Names as by default: those of the rights in docs/operate/security.md.
const TOPIC = 'flow-records';
const QUOTA_TOPIC = 'quota-updates';
const CATALOGUE = packagePath('fixtures/demo/catalogue.yaml');
const USER = 'engine';
/** Each is in a place of its own, and must be printed from none. */
const SECRETS = {
  ZERORATE_KAFKA_SASL_PASSWORD: 'kafka:Pa55/w+rd&1',
  ZERORATE_KAFKA_OAUTH_CLIENT_SECRET: 'cl!ent sécret=2/+',
  ZERORATE_REGISTRY_PASSWORD: 'regi$try+pass/3',
  ZERORATE_STORE_PASSWORD: 'st0re?pass#4&',
  ZERORATE_PSEUDONYM_KEY: '5b'.repeat(32),
};
const WRONG = 'wr0ng:pass/5+';

let good: Authority;
let bad: Authority;
let server: CertificateFiles;
let expired: CertificateFiles;
let broker: SecureKafka;
let tokens: TokenServer;
let store: ClickHouseServer;
let zerorate: Zerorate;
let admin: Admin;
let producer: Producer;
let produced = 0;
/** All that was printed in this file. */
const printed: string[] = [];

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const certificates = zerorate.path('certificates');
  [good, bad] = [await makeAuthority(certificates, 'good'), await makeAuthority(certificates, 'bad')];
  [server, expired] = [await good.issue('server'), await good.issue('old', { isExpired: true })];
  const user = { name: USER, password: SECRETS.ZERORATE_KAFKA_SASL_PASSWORD };
  [broker, tokens, store] = await Promise.all([
    startSecureKafka({ ca: good.ca, server, expired, user }),
    startTokenServer(server, { id: USER, secret: SECRETS.ZERORATE_KAFKA_OAUTH_CLIENT_SECRET }),
    startClickHouse(),
  ]);
  const kafka = new kafkajs.Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  producer = kafka.producer();
  await Promise.all([admin.connect(), producer.connect()]);
  await admin.createTopics({
    topics: [TOPIC, QUOTA_TOPIC].map((topic) => ({ topic, numPartitions: 1, replicationFactor: 1 })),
  });
});
afterAll(async () => {
  await Promise.all([admin?.disconnect(), producer?.disconnect()]);
  tokens?.stop();
  await Promise.all([broker?.stop(), store?.stop(), zerorate?.remove()]);
});

interface Connection {
  brokers?: string;
  tls?: string;
  sasl?: string;
  more?: string;
  storage?: string;
}

async function configure(connection: Connection): Promise<string> {
  const { brokers = broker.secure, tls = `{ caFile: "${good.ca}" }`, sasl, more = '', storage } = connection;
  const name = 'secured.yaml';
  await writeFile(
    zerorate.path(name),
    `catalogue: ${CATALOGUE}
source:
  kafka:
    brokers: ["${brokers}"]
    topic: ${TOPIC}
    valueFormat: json
    fetchWaitTimeoutMs: 100
    sessionTimeoutMs: 6000
    heartbeatIntervalMs: 1000
    tls: ${tls}
${sasl === undefined ? '' : `    sasl: ${sasl}\n`}${more}store: ${storage ?? '{ dir: secured }'}
batch: { maxDelayMs: 100 }
`,
  );
  return name;
}

const scram = (mechanism: string) => `{ mechanism: ${mechanism}, username: ${USER} }`;
const oauth = (ca: string) =>
  `{ mechanism: oauthbearer, tokenUrl: "${tokens.url}", clientId: ${USER}, scope: "flows quotas", tls: { caFile: "${ca}" } }`;

/** Runs a command with all secrets in the environment, as loudly as it can. */
async function run(args: readonly string[], env: Record<string, string> = {}) {
  const finished = await zerorate.run(args, { env: { ...SECRETS, ZERORATE_LOG_LEVEL: 'trace', ...env } });
  printed.push(finished.stdout, finished.stderr);
  return finished;
}

/** Books what was produced, and stops. */
async function book(connection: Connection): Promise<number> {
  const config = await configure(connection);
  const records = [
    ...generateRecords({
      seed: 21 + produced,
      records: 20,
      subscribers: 5,
      targets: [{ tags: ['LUMEN-LIVE'], prefixes: ['192.0.2.128/25'] }],
      startTimeMs: Date.UTC(2026, 10, 1),
      endTimeMs: Date.UTC(2026, 10, 2),
      unmatched: 0,
    }),
  ].map((generated) => {
    const value = encodeGeneratedJson(generated);
    return { key: JSON.parse(value).servedMsisdn as string, value };
  });
  await producer.send({ topic: TOPIC, messages: records });
  produced += records.length;
  const child = spawn(process.execPath, [await builtModule('main.js'), 'run', '--config', config], {
    cwd: zerorate.directory,
    env: { ...process.env, ...SECRETS, ZERORATE_LOG_LEVEL: 'trace' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit');
  let said = '';
  const listen = (text: Buffer) => {
    said += text;
    if (bookedIn(said) >= 20 && !child.killed) child.kill('SIGTERM');
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const [code] = await exit;
  printed.push(said);
  expect(code, said.slice(-1500)).toBe(0);
  return bookedIn(said);
}

function bookedIn(lines: string): number {
  return [...lines.matchAll(/"records":(\{[^}]*\}),"msg":"booked"/g)]
    .flatMap(([, counts]) => Object.values<number>(JSON.parse(counts)))
    .reduce((sum, count) => sum + count, 0);
}

const lastLine = (text: string) => text.trim().split('\n').at(-1);

test('a user without rights learns which it lacks, and where they are written', async () => {
  const { code, stderr } = await run(['run', '--config', await configure({ sasl: scram('scram-sha-512') })]);
  expect(lastLine(stderr)).toMatch(
    /too few rights \(\w*AUTHORIZATION_FAILED\); docs\/operate\/security\.md .*\[kafka_refused\]/,
  );
  expect(code).toBe(1);
});

describe('with the rights of docs/operate/security.md', () => {
  beforeAll(async () => {
    const { ANY: _, ...resources } = AclResourceTypes;
    const acl = [
      ...readFileSync(packagePath('docs/operate/security.md'), 'utf8').matchAll(
        /^\| (engine|audit) \| (.+) \| `(.+)` \| (.+) \|$/gm,
      ),
    ];
    expect(acl.length).toBeGreaterThan(4);
    await admin.createAcls({
      acl: acl.flatMap(([, , kind, pattern, operations]) =>
        operations.split(', ').map((operation) => ({
          principal: `User:${USER}`,
          host: '*',
          permissionType: AclPermissionTypes.ALLOW,
          operation: AclOperationTypes[operation.toUpperCase() as keyof typeof AclOperationTypes],
          resourceType: resources[kind.toUpperCase().replace(' ', '_') as keyof typeof resources],
          resourceName: pattern.replace('*', ''),
          resourcePatternType: pattern.endsWith('*') ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
        })),
      ),
    });
  });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'])('the engine books over TLS by %s', async (mechanism) => {
    expect(await book({ sasl: scram(mechanism) })).toBe(20);
  });

  test('the engine books over TLS by OAUTHBEARER, every client with one token', async () => {
    expect(await book({ sasl: oauth(good.ca) })).toBe(20);
    expect(tokens.tokens.length).toBeGreaterThan(0);
    // The first connection, the look at what is published, the source, and the quota publisher.
    expect(tokens.tokens.length).toBeLessThanOrEqual(4);
    expect(Object.fromEntries(new URLSearchParams(tokens.forms[0]))).toEqual({
      grant_type: 'client_credentials',
      scope: 'flows quotas',
    });
  });

  test.each(['scram-sha-512', 'oauthbearer'])('audit and replay read the same way by %s', async (mechanism) => {
    const config = await configure({ sasl: mechanism === 'oauthbearer' ? oauth(good.ca) : scram(mechanism) });
    const audit = await run(['audit', '--against-source', '--config', config]);
    expect(audit.stdout).toMatch(/holds {3}quotas/);
    expect(audit.code, audit.stdout + audit.stderr).toBe(0);
    const replay = await run(['replay', '--verify', '--config', config]);
    expect(replay.stdout).toContain(` ${produced} `);
    expect(replay.code, replay.stderr).toBe(0);
  });
});

describe('what is wrong is reported, with the remedy', () => {
  test.each<[string, () => Connection, Record<string, string>, RegExp]>([
    [
      'password',
      () => ({ sasl: scram('scram-sha-256') }),
      { ZERORATE_KAFKA_SASL_PASSWORD: WRONG },
      /refuse the login .*source\.kafka\.sasl/,
    ],
    [
      'password in the clear',
      () => ({ sasl: scram('plain') }),
      { ZERORATE_KAFKA_SASL_PASSWORD: WRONG },
      /refuse the login .*source\.kafka\.sasl/,
    ],
    [
      'client secret',
      () => ({ sasl: oauth(good.ca) }),
      { ZERORATE_KAFKA_OAUTH_CLIENT_SECRET: WRONG },
      /gives no token \(HTTP 401, invalid_client\); see source\.kafka\.sasl/,
    ],
    [
      'authority of the token server',
      () => ({ sasl: oauth(bad.ca) }),
      {},
      /no authority in source\.kafka\.sasl\.tls\.caFile has signed/,
    ],
    [
      'authority',
      () => ({ tls: `{ caFile: "${bad.ca}" }`, sasl: scram('plain') }),
      {},
      /no authority in source\.kafka\.tls\.caFile has signed/,
    ],
    ["server's certificate", () => ({ brokers: broker.expired }), {}, /the server's certificate has expired; renew it/],
    ['port: TLS without tls', () => ({ tls: 'false' }), {}, /speaks TLS; set source\.kafka\.tls/],
    [
      'port: tls without TLS',
      () => ({ brokers: broker.brokers[0] ?? '' }),
      {},
      /speaks no TLS; remove source\.kafka\.tls/,
    ],
    ['kind of client: no login', () => ({}), {}, /without a login; set source\.kafka\.sasl/],
  ])('the wrong %s', async (_case, connection, env, message) => {
    const { code, stderr } = await run(['run', '--config', await configure(connection())], env);
    expect(lastLine(stderr)).toMatch(message);
    expect(lastLine(stderr)).toContain('[kafka_refused]');
    expect(code).toBe(1);
  });

  test.each<[string, () => string, RegExp]>([
    [
      'that has expired',
      () => `{ caFile: "${good.ca}", certFile: "${expired.cert}", keyFile: "${expired.key}" }`,
      /good-old\.pem: source\.kafka\.tls\.certFile: the certificate has expired on .*; renew it/,
    ],
    [
      'with the key of another',
      () => `{ certFile: "${server.cert}", keyFile: "${expired.key}" }`,
      /good-old\.key: source\.kafka\.tls\.keyFile: is not the key of/,
    ],
    [
      'that is not there',
      () => '{ caFile: gone.pem }',
      /gone\.pem: source\.kafka\.tls\.caFile: cannot be read: ENOENT/,
    ],
    ['that is none', () => `{ caFile: ${CATALOGUE} }`, /source\.kafka\.tls\.caFile: expected certificates in PEM/],
  ])('a certificate of ours %s: nothing is started', async (_case, tls, message) => {
    const config = await configure({ tls: tls(), sasl: scram('plain') });
    for (const command of ['check', 'run']) {
      const { code, stderr } = await run([command, '--config', config]);
      expect(lastLine(stderr)).toMatch(message);
      expect(code).toBe(2);
    }
  });
});

describe('ClickHouse behind TLS', () => {
  const servers: Server[] = [];
  afterAll(() => Promise.all(servers.map((tls) => tls.close())));

  /** What ends TLS and passes on, as a load balancer does. */
  async function terminate(options: TlsOptions): Promise<string> {
    const { hostname, port } = new URL(store.url);
    const tls = createTlsServer(
      { cert: readFileSync(server.cert), key: readFileSync(server.key), ...options },
      (near) => {
        const far = connect(Number(port), hostname);
        near.on('error', () => far.destroy());
        far.on('error', () => near.destroy());
        near.pipe(far).pipe(near);
      },
    );
    tls.on('tlsClientError', () => {});
    tls.listen(0, '127.0.0.1');
    await once(tls, 'listening');
    servers.push(tls);
    return `https://127.0.0.1:${(tls.address() as AddressInfo).port}`;
  }
  const query = async (url: string, tls: string) => {
    const { username, password } = new URL(store.url);
    const user = username === '' ? '' : `, username: ${username}`;
    const config = await configure({ storage: `{ url: "${url}", database: default${user}, tls: ${tls} }` });
    return run(['query', 'SELECT 41 + 1 AS n', '--format', 'TSV', '--config', config], {
      ZERORATE_STORE_PASSWORD: password,
    });
  };

  test('its authority is checked', async () => {
    const url = await terminate({});
    const trusted = await query(url, `{ caFile: "${good.ca}" }`);
    expect(trusted.stdout, trusted.stderr).toBe('42\n');
    const untrusted = await query(url, `{ caFile: "${bad.ca}" }`);
    expect(untrusted.stderr).toMatch(/no authority in store\.tls\.caFile has signed .*\[store_refused\]/);
    expect([untrusted.code, untrusted.stdout]).toEqual([1, '']);
  });

  test('it may ask for a certificate of ours', async () => {
    const url = await terminate({ ca: readFileSync(good.ca), requestCert: true, rejectUnauthorized: true });
    const own = await good.issue('client');
    expect((await query(url, `{ caFile: "${good.ca}", certFile: "${own.cert}", keyFile: "${own.key}" }`)).stdout).toBe(
      '42\n',
    );
    const without = await query(url, `{ caFile: "${good.ca}" }`);
    expect([without.code, without.stdout]).toEqual([1, '']);
  });
});

test('no secret is ever printed: plain, as base64, or URL-encoded', async () => {
  const registry = '    avro: { header: confluent, registry: { url: "https://127.0.0.1:9", username: reader } }\n';
  const config = await configure({
    sasl: scram('plain'),
    more: registry,
    storage: '{ url: "https://127.0.0.1:9", username: engine, database: zerorate }',
  });
  const avro = { ZERORATE_KAFKA_VALUE_FORMAT: 'avro' };
  const shown = await run(['check', '--show', '--config', config], avro);
  expect(shown.code, shown.stderr).toBe(0);
  expect(shown.stdout.match(/\[redacted\]/g)).toHaveLength(4);
  expect((await run(['run', '--config', config], avro)).code).toBe(1);
  expect((await run(['query', 'SELECT 1', '--config', config], avro)).code).toBe(1);
  const inPlace = await configure({
    sasl: `{ mechanism: plain, username: u, password: "${WRONG}", clientSecret: "${WRONG}" }`,
  });
  expect((await run(['check', '--show', '--config', inPlace])).code).toBe(2);

  const all = printed.join('\n');
  expect(all).toContain('"level"');
  const secrets = [...Object.values(SECRETS), WRONG, ...tokens.tokens, readFileSync(server.key, 'utf8').split('\n')[1]];
  for (const secret of secrets) {
    // A secret is in a login anywhere between other octets: base64 has three ways to write it.
    const inBase64 = ['', 'a', 'ab'].map((before) =>
      Buffer.from(before + secret)
        .toString('base64')
        .slice(before.length === 0 ? 0 : 4, -4),
    );
    for (const form of [
      secret,
      ...inBase64,
      encodeURIComponent(secret),
      new URLSearchParams({ s: secret }).toString().slice(2),
    ]) {
      expect(all.includes(form), `a secret is printed, in one of its forms (${secret.length} characters)`).toBe(false);
    }
  }
});
