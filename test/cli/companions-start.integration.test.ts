import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dump } from 'js-yaml';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { freePort } from '../../src/development/servers/free-port.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { makeAuthority } from '../servers/certificates.ts';
import { startKafka } from '../servers/kafka-server.ts';
import { pinnedProxy, RunningCompanion, withoutAccounts } from './companion.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const SECRETS = {
  ZERORATE_OPERATOR_SECRET: 'operator-secret-0123456789',
  EDGE_1_SECRET: 'proxy-secret-0123456789',
  ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32),
};
let zerorate: Zerorate;
const running: RunningCompanion[] = [];
beforeAll(async () => {
  zerorate = await Zerorate.build();
  copyFileSync(packagePath('fixtures/demo/catalogue.yaml'), zerorate.path('catalogue.yaml'));
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(zerorate.path('operator.jwks.json'), JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }));
  writeFileSync(zerorate.path('identity.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(zerorate.path('operator.secret'), SECRETS.ZERORATE_OPERATOR_SECRET);
});
afterEach(async () => {
  for (const each of running.splice(0)) {
    each.signal('SIGKILL');
    await each.ended;
  }
});
afterAll(() => zerorate.remove());

interface Place {
  port: number;
  brokers?: string[];
  storeUrl?: string;
  dataDir?: string;
  http?: object;
}

const write = (name: string, document: object): string => {
  writeFileSync(zerorate.path(name), dump(document));
  return name;
};
const dead = '127.0.0.1:9';
const EDGE_1 = pinnedProxy('EDGE_1_SECRET', dead);
const DEAD_STORE = `http://${dead}`;

function dispatchFile({
  port,
  brokers = [dead],
  storeUrl = DEAD_STORE,
  dataDir = 'dispatch',
  http = {},
}: Place): string {
  return write('dispatch.yaml', {
    catalogue: 'catalogue.yaml',
    dataDir,
    http: { port, ...http },
    kafka: { brokers },
    store: { url: storeUrl, checkIntervalMs: 200 },
    operators: [{ issuer: 'operator', jwksFile: 'operator.jwks.json' }],
    proxies: { 'edge-1': EDGE_1 },
    applications: withoutAccounts(),
  });
}

const proxyFile = (more: object = {}, listen: object = {}, applications: object[] = [application('lumen-video')]) => {
  const here = { host: '127.0.0.1', port: 0 };
  return write('proxy.yaml', {
    proxyId: 'edge-1',
    region: 'north',
    dataDir: 'proxy',
    listen: { connect: here, socks5: here, relay: here, control: here, ...listen },
    dispatch: { url: `http://${dead}`, secretVariable: 'EDGE_1_SECRET' },
    applications,
    limits: { connections: 1000 },
    ...more,
  });
};
const application = (applicationId: string) => ({ applicationId, hosts: [{ host: `${applicationId}.example` }] });
const gatewayFile = (more: object = {}) =>
  write('gateway.yaml', {
    nodeId: 'gateway-1',
    userPlane: { port: 0 },
    control: { port: 0 },
    operatorSecretFile: 'operator.secret',
    identity: { issuer: 'operator', keyId: 'key', privateKeyFile: 'identity.pem' },
    kafka: { brokers: [dead], topic: 'flow-records' },
    spool: 'gateway-spool',
    ...more,
  });
const start = async (command: string, file: string, env = {}): Promise<RunningCompanion> => {
  const companion = await RunningCompanion.start(zerorate, [command, '--config', file], { ...SECRETS, ...env });
  running.push(companion);
  return companion;
};
const attempt = (command: string, file: string, env = {}) =>
  zerorate.run([command, '--config', file], { env: { ...SECRETS, ...env } });
const readiness = (port: number) =>
  fetch(`http://127.0.0.1:${port}/health/ready`).then(
    async (answer) => ({ status: answer.status, ...((await answer.json()) as { problems?: Record<string, string> }) }),
    (): { status: number; problems?: Record<string, string> } => ({ status: 0 }),
  );
const warnings = (companion: RunningCompanion) =>
  companion.lines.filter((line) => /"level":"?(40|50|warn|error)/.test(line));

async function listenSomewhere(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}

test('a dispatch server waits for store, brokers and topic, in whatever order they come', async () => {
  const [port, storePort] = [await freePort(), await freePort()];
  const kafka = await startKafka();
  try {
    const file = dispatchFile({ port, brokers: kafka.brokers, storeUrl: `http://127.0.0.1:${storePort}` });
    const dispatch = await start('dispatch', file);
    await dispatch.until(async () => (await readiness(port)).problems?.quotaUpdates !== undefined, 'readiness');
    await dispatch.prints('waiting for the store');
    await dispatch.prints('quota-updates: the brokers have no such topic');
    const asked = await fetch(`http://127.0.0.1:${port}/v1/sessions`, { method: 'POST', body: '{}' });
    expect([asked.status, ((await asked.json()) as { reason: string }).reason]).toEqual([503, 'starting']);
    expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);

    const admin = createKafka({ brokers: kafka.brokers, clientId: 'test' }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'quota-updates', numPartitions: 2 }], waitForLeaders: true });
    await admin.disconnect();
    await dispatch.prints('quota updates are read');
    expect(Object.keys((await readiness(port)).problems ?? {})).toEqual(['store']);

    const store = await startClickHouseProcess({ port: storePort });
    try {
      // A server without the engine's tables is waited for, too.
      await dispatch.prints('Database zerorate does not exist');
      const engine = write('zerorate.yaml', {
        catalogue: 'catalogue.yaml',
        source: { files: ['flows.ndjson'] },
        store: { url: store.url },
        quotaUpdates: { file: 'updates.ndjson' },
      });
      await zerorate.run(['generate', '--out', 'flows.ndjson', '--records', '50', '--seed', '1']);
      const { ZERORATE_PSEUDONYM_KEY } = SECRETS;
      const booked = await zerorate.run(['run', '--config', engine], { env: { ZERORATE_PSEUDONYM_KEY } });
      expect(booked, booked.stderr).toMatchObject({ code: 0 });
      await dispatch.until(async () => (await readiness(port)).status === 200, 'readiness');
      expect(warnings(dispatch).length, warnings(dispatch).join('\n')).toBeLessThanOrEqual(4);
      expect(dispatch.printed).not.toMatch(/\n\s+at |"stack"/);
      expect(await dispatch.stop()).toBe(0);

      // Another key is refused: by the store first, and then by what is in the data directory, without the store.
      const other = { ZERORATE_PSEUDONYM_KEY: 'a5'.repeat(32) };
      const message = 'this is not the key that the store is booked with';
      const fresh = dispatchFile({
        port,
        brokers: kafka.brokers,
        storeUrl: store.url,
        dataDir: 'dispatch-of-other-key',
      });
      expect(await attempt('dispatch', fresh, other)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(message),
      });
      dispatchFile({ port });
      expect(await attempt('dispatch', file, other)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(message),
      });
    } finally {
      await store.stop();
    }
  } finally {
    await kafka.stop();
  }
});

test('a second dispatch server, proxy or gateway on the same directory is refused, also after kill -9 of the first', async () => {
  const file = dispatchFile({ port: await freePort(), dataDir: 'shared' });
  for (const [command, config, says] of [
    ['dispatch', file, 'dispatching at port'],
    ['proxy', proxyFile(), 'edge-1: '],
    ['gateway', gatewayFile(), 'takes connections'],
  ] as const) {
    const first = await start(command, config);
    await first.prints(says);
    if (command === 'dispatch') dispatchFile({ port: await freePort(), dataDir: 'shared' });
    const second = await attempt(command, config);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(
      /^\S+: another process \(\d+\) is using it; stop that one, or give this .* of its own \[data_directory_in_use\]\n$/,
    );
    first.signal('SIGKILL');
    await first.ended;
    const third = await start(command, config);
    await third.prints(says);
    expect(await third.stop()).not.toBe(1);
  }
});

test('a proxy waits for its dispatch server, and a gateway for Kafka, each with one line', async () => {
  const control = await freePort();
  const proxy = await start('proxy', proxyFile({}, { control: { host: '127.0.0.1', port: control } }));
  const gatewayControl = await freePort();
  const gateway = await start('gateway', gatewayFile({ control: { port: gatewayControl } }));
  await proxy.prints('waiting for it');
  await gateway.prints('Kafka takes no records');
  expect((await readiness(control)).status).toBe(503);
  expect((await readiness(gatewayControl)).status).toBe(503);
  await new Promise((resolve) => setTimeout(resolve, 8000));
  expect(
    warnings(proxy)
      .map((line) => JSON.parse(line).part)
      .sort(),
  ).toEqual(['heartbeat', 'signingKeys']);
  expect(warnings(gateway).map((line) => JSON.parse(line).problem)).toEqual([
    expect.stringMatching(/^127\.0\.0\.1:9: .*ECONNREFUSED.* \(kafka\.brokers\)$/),
  ]);
  for (const each of [proxy, gateway]) expect(each.printed).not.toMatch(/\n\s+at |"stack"/);
});

test('what cannot be used is said in one line with place and remedy, and nothing is started', async () => {
  const { server, port } = await listenSomewhere();
  const authority = await makeAuthority(zerorate.path('certificates'), 'authority');
  const [good, expired] = [await authority.issue('good'), await authority.issue('old', { isExpired: true })];
  const taken = { host: '127.0.0.1', port };
  const inUse = `cannot listen on 127.0.0.1:${port}: another process listens there; stop that one, or choose another port`;
  const here = { host: '127.0.0.1', port: 0 };
  const tls = (certFile: string, keyFile: string) => ({ tls: { certFile, keyFile } });
  const tlsFiles = (certFile: string, keyFile: string) => ({ connect: { ...here, tls: { certFile, keyFile } } });
  mkdirSync(zerorate.path('a-file-not'), { recursive: true });
  writeFileSync(zerorate.path('a-file'), '');
  const cases: [string, () => string, RegExp][] = [
    ['dispatch', () => dispatchFile({ port }), new RegExp(`^dispatch.yaml: http: ${inUse}\n$`)],
    ['proxy', () => proxyFile({}, { relay: taken }), new RegExp(`^proxy.yaml: listen.relay: ${inUse}\n$`)],
    ['proxy', () => proxyFile({}, { control: taken }), new RegExp(`^proxy.yaml: listen.control: ${inUse}\n$`)],
    ['gateway', () => gatewayFile({ userPlane: taken }), new RegExp(`^gateway.yaml: userPlane: ${inUse}\n$`)],
    ['gateway', () => gatewayFile({ control: taken }), new RegExp(`^gateway.yaml: control: ${inUse}\n$`)],
    [
      'proxy',
      () => proxyFile({}, { connect: { port: 0 } }),
      /listen\.connect\.host: 0\.0\.0\.0 is no address that terminals can connect to; set listen\.connect\.publicUrl/,
    ],
    [
      'proxy',
      () => proxyFile({}, { control: { host: '::', port: 0 } }),
      /listen\.control\.host: :: is no address that the dispatch server can connect to/,
    ],
    [
      'proxy',
      () => proxyFile({}, { relay: { ...here, publicUrl: 'wss://[::]:8443' } }),
      /listen\.relay\.publicUrl: .* is no address that terminals/,
    ],
    [
      'gateway',
      () => gatewayFile({ userPlane: { host: '0.0.0.0', port: 0 } }),
      /userPlane\.host: is no address that terminals can connect to; set userPlane\.publicUrl/,
    ],
    [
      'dispatch',
      () => dispatchFile({ port: 0, dataDir: 'a-file' }),
      /^\S+a-file: dataDir: \S+ is no directory; name another one \[data_directory_unusable\]\n$/,
    ],
    ['proxy', () => proxyFile({ dataDir: 'a-file/below' }), /dataDir: \S+a-file is no directory/],
    ['gateway', () => gatewayFile({ spool: '/proc/spool' }), /spool: \/proc is on proc; name a directory on a disk/],
    [
      'dispatch',
      () => dispatchFile({ port: 0, http: tls(expired.cert, expired.key) }),
      /http\.tls\.certFile: the certificate has expired on .*; renew it/,
    ],
    [
      'dispatch',
      () => dispatchFile({ port: 0, http: tls(good.cert, expired.key) }),
      /http\.tls\.keyFile: is not the key of the certificate/,
    ],
    [
      'dispatch',
      () => dispatchFile({ port: 0, http: tls('none.pem', good.key) }),
      /none\.pem: http\.tls\.certFile: cannot be read/,
    ],
    [
      'proxy',
      () => proxyFile({}, tlsFiles(expired.cert, expired.key)),
      /tls\.certFile: the certificate has expired on/,
    ],
    ['proxy', () => proxyFile({}, tlsFiles(good.key, good.key)), /tls\.certFile: expected certificates in PEM/],
  ];
  try {
    for (const [command, config, message] of cases) {
      const { code, stderr: printed, stdout } = await attempt(command, config());
      const stderr = printed.replaceAll(/^\{"level":"info".*\n/gm, '');
      expect(stderr, stdout).toMatch(message);
      expect(stderr.trim().split('\n'), stderr).toHaveLength(1);
      expect([code, stderr]).toEqual([2, stderr]);
    }
  } finally {
    server.close();
  }
});

test('SIGHUP reloads catalogue and configuration of a dispatch server; what has faults changes nothing', async () => {
  const port = await freePort();
  const file = dispatchFile({ port, dataDir: 'reloading' });
  const catalogue = readFileSync(zerorate.path('catalogue.yaml'), 'utf8');
  const dispatch = await start('dispatch', file);
  await dispatch.prints('dispatching at port');
  const metric = async (name: string) => {
    const headers = { authorization: `Bearer ${SECRETS.ZERORATE_OPERATOR_SECRET}` };
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers })).text();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')
        .at(-1),
    );
  };
  const reloads = (of: string, outcome: string) => metric(`zerorate_${of}_reloads_total{outcome="${outcome}"}`);
  try {
    writeFileSync(zerorate.path('catalogue.yaml'), `${catalogue}\nnonsense: 1\n`);
    dispatch.signal('SIGHUP');
    await dispatch.prints('the catalogue was not taken over, the previous one stays in use');
    await dispatch.prints('the configuration is as it was');
    writeFileSync(zerorate.path('catalogue.yaml'), `${catalogue}\n# another text\n`.replace('Lumen', 'Lumen Ltd'));
    dispatchFile({ port, dataDir: 'moved' });
    dispatch.signal('SIGHUP');
    await dispatch.until(async () => (await reloads('catalogue', 'taken')) === 1, 'other catalogue');
    await dispatch.prints('fields of the configuration were changed that count from the next start');
    expect(await reloads('catalogue', 'refused')).toBe(1);
    writeFileSync(zerorate.path('dispatch.yaml'), 'catalogue: [');
    dispatch.signal('SIGHUP');
    await dispatch.prints('the configuration was not reloaded, the one before is used');
    expect(await reloads('configuration', 'refused')).toBe(1);
    expect(await metric('zerorate_configuration_refused')).toBe(1);
    expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);
  } finally {
    writeFileSync(zerorate.path('catalogue.yaml'), catalogue);
  }
});

test('SIGHUP reloads the applications of a proxy, and the secrets of a gateway', async () => {
  const control = { host: '127.0.0.1', port: await freePort() };
  const proxy = await start('proxy', proxyFile({ dataDir: 'proxy-2' }, { control }));
  await proxy.prints('edge-1: ');
  const announce = async (applicationId: string) => {
    const answer = await fetch(`http://127.0.0.1:${control.port}/v1/sessions/1`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${SECRETS.EDGE_1_SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{
          revision: 1,
          sessionId: '1',
          tokenId: '1',
          tokenExpiresAtMs: Date.now() + 60_000,
          subscriber: '0'.repeat(32),
        },
        ...{ sponsorId: 's', applicationId, applicationAccount: 'a', terminalIp: '127.0.0.1' },
        ...{ sessionKey: 'A'.repeat(43), contentShares: {}, sponsoredOctetsCap: 0, atCap: 'stop', state: 'open' },
      }),
    });
    return answer.status;
  };
  expect(await announce('another')).toBe(422);
  proxyFile({ dataDir: 'proxy-2', region: 'south' }, { control }, [application('another')]);
  proxy.signal('SIGHUP');
  await proxy.prints('the configuration was reloaded');
  await proxy.prints('"fields":["region"]');
  expect(await announce('another')).toBe(204);
  expect(await announce('lumen-video')).toBe(422);
  proxyFile({ dataDir: 'proxy-2' }, { control }, []);
  proxy.signal('SIGHUP');
  await proxy.prints('the configuration was not reloaded, the one before is used');
  expect(await announce('another')).toBe(204);

  const port = await freePort();
  const gateway = await start('gateway', gatewayFile({ control: { port }, spool: 'spool-2' }));
  await gateway.prints('takes connections');
  const attach = async (secret: string) => {
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ msisdn: '15550100001' });
    return (await fetch(`http://127.0.0.1:${port}/v1/bearers`, { method: 'POST', headers, body })).status;
  };
  expect(await attach(SECRETS.ZERORATE_OPERATOR_SECRET)).toBe(201);
  writeFileSync(zerorate.path('operator.secret'), 'another-secret-0123456789');
  gateway.signal('SIGHUP');
  await gateway.prints('the configuration was reloaded');
  expect(await attach(SECRETS.ZERORATE_OPERATOR_SECRET)).toBe(401);
  expect(await attach('another-secret-0123456789')).toBe(201);
  chmodSync(zerorate.path('operator.secret'), 0o600);
  writeFileSync(zerorate.path('operator.secret'), SECRETS.ZERORATE_OPERATOR_SECRET);
});
