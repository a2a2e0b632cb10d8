import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packagePath } from '../platform/package-paths.ts';
import { fitFaults } from './dev-fit.ts';
import { openDevFolder, withPorts } from './dev-folder.ts';
import { readDevSettings, usedPorts } from './dev-settings.ts';
import { freePort } from './servers/free-port.ts';

const DEMO = packagePath('fixtures/demo');
let folder: string;
let printed: string[];
const print = (text: string) => printed.push(text);
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'zerorate-dev-')), 'dev');
  printed = [];
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

function edit(name: string, from: string | RegExp, to: string): void {
  const file = join(folder, name);
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(from);
  writeFileSync(file, text.replace(from, to));
}

/** So that the machine's own programs do not matter. */
async function moveToFreePorts(): Promise<void> {
  const ports = new Map<number, number>();
  const used = new Set(usedPorts(readDevSettings(folder)).map(({ port }) => port));
  for (const port of used) {
    let free = await freePort();
    while (used.has(free)) free = await freePort();
    ports.set(port, free);
  }
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    writeFileSync(join(folder, name), withPorts(readFileSync(join(folder, name), 'utf8'), ports));
  }
}

describe('the examples', () => {
  test('fit together', () => {
    expect(fitFaults(readDevSettings(DEMO), Date.now())).toEqual([]);
  });

  /** What one file names and another one must have, too. */
  const SHARED: readonly [string, string, string][] = [
    ['dispatch.yaml', 'port: 8090', 'port: 8091'],
    ['dispatch.yaml', 'localhost:9092', 'localhost:9093'],
    ['dispatch.yaml', 'http://localhost:8123', 'http://localhost:8124'],
    ['dispatch.yaml', 'database: zerorate', 'database: other'],
    ['dispatch.yaml', 'quota-updates', 'quota-changes'],
    ['dispatch.yaml', '  proxy-1:', '  edge-1:'],
    ['dispatch.yaml', 'proxy-1.secret', 'edge-1.secret'],
    ['dispatch.yaml', 'operatorSecretFile: operator.secret', 'operatorSecretFile: other.secret'],
    ['dispatch.yaml', 'issuer: development', 'issuer: carrier'],
    ['dispatch.yaml', 'jwksFile: operator.key.jwks.json', 'jwksFile: other.jwks.json'],
    ['dispatch.yaml', 'catalogue: catalogue.yaml', 'catalogue: other.yaml'],
    ['dispatch.yaml', '# pseudonymKey:', 'pseudonymKey:'],
    ['gateway.yaml', 'port: 8086', 'port: 8087'],
    ['gateway.yaml', 'port: 1085', 'port: 1080'],
    ['gateway.yaml', 'proxyId: proxy-1', 'proxyId: edge-1'],
    ['gateway.yaml', 'secretFile: proxy-1.secret', 'secretFile: edge-1.secret'],
    ['gateway.yaml', 'operatorSecretFile: operator.secret', 'operatorSecretFile: other.secret'],
    ['gateway.yaml', 'issuer: development', 'issuer: demo-operator'],
    ['gateway.yaml', 'privateKeyFile: operator.key', 'privateKeyFile: other.key'],
    ['gateway.yaml', 'localhost:9092', 'localhost:9093'],
    ['gateway.yaml', 'topic: flow-records', 'topic: flows'],
    ['proxy.yaml', 'proxyId: proxy-1', 'proxyId: edge-1'],
    ['proxy.yaml', 'http://127.0.0.1:8090', 'http://127.0.0.1:8070'],
    ['proxy.yaml', 'http://127.0.0.1:8086', 'http://127.0.0.1:8090'],
    ['proxy.yaml', 'secretFile: proxy-1.secret', 'secretFile: proxy.secret'],
    ['proxy.yaml', 'zeroRatingTag: CHAT', 'zeroRatingTag: chatter'],
    ['proxy.yaml', 'applicationId: pigeon', 'applicationId: dove'],
    ['proxy.yaml', 'port: 8082', 'port: 8081'],
    ['zerorate.yaml', 'localhost:9092', 'localhost:9093'],
    ['zerorate.yaml', 'topic: flow-records', 'topic: flows'],
    ['zerorate.yaml', 'topic: quota-updates', 'topic: quota-changes'],
    ['zerorate.yaml', 'http://localhost:8123', 'http://localhost:8124'],
    ['zerorate.yaml', 'database: zerorate', 'database: other'],
    ['zerorate.yaml', 'catalogue: catalogue.yaml', 'catalogue: other.yaml'],
    ['dispatch.yaml', 'grantOctets: 5242880, account: { way: registry', 'grantOctets: 5242880, account: { way: none'],
    ['catalogue.yaml', 'tags: [PIGEON]', 'tags: [DOVE]'],
    ['dev.yaml', 'application: pigeon', 'application: parley'],
    ['dev.yaml', 'port: 8099', 'port: 8090'],
  ];
  test.each(SHARED)('%s with %s as %s does not fit', (name, from, to) => {
    cpSync(DEMO, folder, { recursive: true });
    edit(name, from, to);
    expect(fitFaults(readDevSettings(folder), Date.now())).not.toEqual([]);
  });
});

test('a tag of the proxy fits while the catalogue has it in force', () => {
  cpSync(DEMO, folder, { recursive: true });
  edit('catalogue.yaml', 'tags: [PIGEON]', 'tags: [{ tag: PIGEON, from: 2026-03-01T00:00:00Z }]');
  const settings = readDevSettings(folder);
  expect(fitFaults(settings, Date.UTC(2026, 2, 1))).toEqual([]);
  expect(fitFaults(settings, Date.UTC(2026, 2, 1) - 1)).toEqual([
    'zeroRatingTag of pigeon in proxy.yaml is PIGEON, and the catalogue has no tag in force',
  ]);
});

describe('the folder', () => {
  test('is written once, with secrets for its owner alone, and then read as it is', async () => {
    await openDevFolder({ folder, print });
    for (const name of readdirSync(folder)) {
      const { mode } = statSync(join(folder, name));
      if (!name.endsWith('.jwks.json')) expect(mode & 0o077, name).toBe(0);
    }
    const secrets = ['operator.secret', 'proxy-1.secret', 'pseudonym.key'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    );
    expect(new Set(secrets).size).toBe(3);
    for (const secret of secrets) expect(secret).toMatch(/^[\da-f]{64}$/);
    edit('dev.yaml', 'application: pigeon', 'application: chatter');
    const again = await openDevFolder({ folder, print });
    expect(again.dev.application).toBe('chatter');
    expect(readFileSync(join(folder, 'operator.secret'), 'utf8')).toBe(secrets[0]);
    expect(readdirSync(join(folder, '..'))).toEqual(['dev']);
  });

  test('takes another port where one is in use at the first start, in every file', async () => {
    const taken = createServer().listen(8090, '127.0.0.1');
    const isOurs = await once(taken, 'listening').then(
      () => true,
      () => false,
    );
    const { dispatch, proxy } = await openDevFolder({ folder, print });
    expect(dispatch.http.port).not.toBe(8090);
    expect(proxy.dispatch.url).toBe(`http://127.0.0.1:${dispatch.http.port}`);
    expect(printed).toContainEqual(
      expect.stringMatching(/^port 8090 is in use: \d+ instead \(dispatch\.yaml: http\.port\)$/),
    );
    if (isOurs) taken.close();
  });

  test('with a port in use at a later start is refused with the port, its field and what to do', async () => {
    await openDevFolder({ folder, print });
    await moveToFreePorts();
    const { gateway } = readDevSettings(folder);
    const taken = createServer().listen(gateway.control.port, '127.0.0.1');
    await once(taken, 'listening');
    await expect(openDevFolder({ folder, print })).rejects.toThrow(
      new RegExp(`port ${gateway.control.port} is in use \\(.*gateway\\.yaml: control\\.port\\): end the program`),
    );
    taken.close();
    await once(taken, 'close');
    await openDevFolder({ folder, print });
  });

  test('that does not fit, has a fault, or holds something else is refused, and left as it is', async () => {
    await openDevFolder({ folder, print });
    edit('proxy.yaml', /url: http:\/\/127\.0\.0\.1:\d+/, 'url: http://127.0.0.1:9');
    await expect(openDevFolder({ folder, print })).rejects.toThrow(
      /dispatch\.url of proxy\.yaml is 9, and http\.port of dispatch\.yaml/,
    );
    edit('dev.yaml', 'broker: own', 'broker: mine');
    await expect(openDevFolder({ folder, print })).rejects.toThrow(/dev\.yaml:\d+: broker: /);
    rmSync(join(folder, 'dev.yaml'));
    await expect(openDevFolder({ folder, print })).rejects.toThrow(/is not empty and has no dev\.yaml/);
    expect(existsSync(join(folder, 'proxy.yaml'))).toBe(true);
  });

  test('of brokers that run already has them in every file, and topics of its own', async () => {
    const brokers = ['10.0.0.1:9092', '10.0.0.2:9092'];
    const { dev, engine, dispatch, gateway } = await openDevFolder({ folder, brokers, print });
    expect(dev.broker).toBe('external');
    for (const each of [engine.source.kafka, dispatch.kafka, gateway.kafka]) expect(each.brokers).toEqual(brokers);
    expect(engine.source.kafka.topic).toMatch(/^zerorate-dev-[\da-f]{8}-flow-records$/);
    await openDevFolder({ folder, brokers, print });
    await expect(openDevFolder({ folder, brokers: ['10.0.0.3:9092'], print })).rejects.toThrow(
      /is of the brokers 10\.0\.0\.1/,
    );
  });
});
