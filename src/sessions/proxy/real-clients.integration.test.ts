import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM } from '../../../test/servers/prerequisites.ts';
import { socks5Password } from '../protocol/relay-message.ts';
import type { Granted } from './fake-dispatch.fixture.ts';
import { type CountingRelay, startCountingRelay, startWorld, until, type World } from './proxy.fixture.ts';

const PAGE_OCTETS = 700_000;
const run = promisify(execFile);
let directory: string;
let world: World;
let secure: Server;
let plain: ReturnType<typeof createHttpServer>;

async function certificate(name: string): Promise<{ certFile: string; keyFile: string }> {
  const [certFile, keyFile] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await run('openssl', ['req', '-x509', ...curve, ...names, '-keyout', keyFile, '-out', certFile]);
  return { certFile, keyFile };
}

const portOfServer = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-clients-'));
  const tls = await certificate('first');
  const page = `<title>media</title>${'x'.repeat(PAGE_OCTETS)}`;
  const key = { cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) };
  secure = createServer(key, (_, response) => response.setHeader('content-type', 'text/html').end(page));
  plain = createHttpServer((request, response) => request.resume().on('end', () => response.end(page)));
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const endpoint = { host: '127.0.0.1', port: 0 };
  const hosts = [{ host: 'localhost', ports: [portOfServer(secure), portOfServer(plain)], contentType: 'image' }];
  world = await startWorld({
    application: { hosts, allowPrivate: ['127.0.0.0/8', '::1/128'] },
    more: {
      listen: { connect: endpoint, socks5: endpoint, control: endpoint, relay: { ...endpoint, tls } },
      // Browsers open connections that they may need, and say nothing on them.
      limits: { handshakeTimeoutMs: 2000 },
    },
  });
});
afterAll(async () => {
  await world?.stop();
  secure?.closeAllConnections();
  secure?.close();
  plain?.closeAllConnections();
  plain?.close();
  await rm(directory, { recursive: true });
});

const curl = (...args: string[]) =>
  run('curl', ['-sS', '--max-time', '30', '-o', '/dev/null', '-w', '%{size_download}', ...args]);
const relayTo = (endpoint: 'connect' | 'socks5', counts?: (answer: string) => boolean) =>
  startCountingRelay(Number(new URL(world.proxy.endpoints[endpoint]).port), counts);

async function expectCounted({ terms: { sessionId } }: Granted, relay: CountingRelay): Promise<void> {
  const { uplinkOctets, downlinkOctets } = relay;
  expect(downlinkOctets).toBeGreaterThan(PAGE_OCTETS);
  await until(() => world.dispatch.octetsOf(sessionId).downlinkOctets >= downlinkOctets);
  expect(world.dispatch.octetsOf(sessionId)).toEqual({ uplinkOctets, downlinkOctets });
}

describe('curl', () => {
  test.each(['http', 'https'])('by CONNECT, %s', async (scheme) => {
    const relay = await relayTo('connect');
    const granted = await world.dispatch.grant();
    const port = portOfServer(scheme === 'https' ? secure : plain);
    const proxy = [
      '-p',
      '-x',
      `http://127.0.0.1:${relay.port}`,
      '--proxy-user',
      `${granted.terms.sessionId}:${granted.token}`,
    ];
    const { stdout } = await curl('-k', ...proxy, `${scheme}://localhost:${port}/`);
    expect(Number(stdout)).toBeGreaterThan(PAGE_OCTETS);
    await until(() => relay.downlinkOctets > 0);
    await expectCounted(granted, relay);
    relay.stop();
  });

  test.each(['http', 'https'])('by SOCKS5, %s', async (scheme) => {
    const relay = await relayTo('socks5');
    const granted = await world.dispatch.grant();
    const { tokenId, sessionKey } = granted.terms;
    const port = portOfServer(scheme === 'https' ? secure : plain);
    const password = socks5Password(Buffer.from(sessionKey, 'base64url'), tokenId);
    const proxy = ['--socks5-hostname', `127.0.0.1:${relay.port}`, '--proxy-user', `${tokenId}:${password}`];
    const { stdout } = await curl('-k', ...proxy, `${scheme}://localhost:${port}/`);
    expect(Number(stdout)).toBeGreaterThan(PAGE_OCTETS);
    await until(() => relay.downlinkOctets > 0);
    await expectCounted(granted, relay);
    relay.stop();
  });

  test('uploads, and every octet is counted', async () => {
    const relay = await relayTo('connect');
    const granted = await world.dispatch.grant();
    const proxy = [
      '-p',
      '-x',
      `http://127.0.0.1:${relay.port}`,
      '--proxy-user',
      `${granted.terms.sessionId}:${granted.token}`,
    ];
    await curl(
      ...proxy,
      '--data-binary',
      `@${process.execPath}`,
      '-H',
      'expect:',
      `http://localhost:${portOfServer(plain)}/`,
    );
    await until(() => relay.downlinkOctets > 0);
    expect(relay.uplinkOctets).toBeGreaterThan(50_000_000);
    await expectCounted(granted, relay);
    relay.stop();
  });

  test.each([
    ['another password', ['--proxy-user', 'x:y'], 97],
    ['no password', [], 97],
  ])('by SOCKS5 with %s is turned away', async (_, credentials, code) => {
    const { port } = new URL(world.proxy.endpoints.socks5);
    const asked = curl('--socks5-hostname', `127.0.0.1:${port}`, ...credentials, 'http://localhost/');
    await expect(asked).rejects.toMatchObject({ code });
  });

  test('by SOCKS5 with the user of an expired token is turned away, and let in once the token is renewed', async () => {
    const { terms } = await world.dispatch.grant({ tokenExpiresAtMs: Date.now() - 1 });
    const { port } = new URL(world.proxy.endpoints.socks5);
    const ask = (tokenId: string) => {
      const password = socks5Password(Buffer.from(terms.sessionKey, 'base64url'), tokenId);
      const proxy = ['--socks5-hostname', `127.0.0.1:${port}`, '--proxy-user', `${tokenId}:${password}`];
      return curl(...proxy, `http://localhost:${portOfServer(plain)}/`);
    };
    await expect(ask(terms.tokenId)).rejects.toMatchObject({ code: 97 });
    const renewed = { tokenId: `${terms.tokenId}-2`, tokenExpiresAtMs: Date.now() + 60_000 };
    await world.dispatch.announce({ ...terms, ...renewed, revision: 2 });
    expect(Number((await ask(renewed.tokenId)).stdout)).toBeGreaterThan(PAGE_OCTETS);
  });

  test('by SOCKS5 to a host that is not the application’s is refused', async () => {
    const { terms } = await world.dispatch.grant();
    const password = socks5Password(Buffer.from(terms.sessionKey, 'base64url'), terms.tokenId);
    const { port } = new URL(world.proxy.endpoints.socks5);
    const asked = curl(
      '--socks5-hostname',
      `127.0.0.1:${port}`,
      '--proxy-user',
      `${terms.tokenId}:${password}`,
      'http://example.com/',
    );
    await expect(asked).rejects.toMatchObject({ code: 97, stderr: expect.stringContaining('(2)') });
  });
});

describe('Chromium', () => {
  let browser: Browser;
  afterAll(() => browser?.close());

  test('signs in at the proxy, loads a page, and its octets are exact', async () => {
    const relay = await relayTo('connect', (answer) => answer.startsWith('HTTP/1.1 200'));
    const granted = await world.dispatch.grant();
    const { sessionId } = granted.terms;
    browser = await chromium.launch({
      ...(CHROMIUM && { executablePath: CHROMIUM }),
      args: ['--no-sandbox', '--ignore-certificate-errors', '--proxy-bypass-list=<-loopback>'],
      proxy: { server: `http://127.0.0.1:${relay.port}`, username: sessionId, password: granted.token },
    });
    const page = await browser.newPage();
    await page.goto(`https://localhost:${portOfServer(secure)}/`);
    expect(await page.title()).toBe('media');
    await browser.close();
    await until(() => relay.downlinkOctets > PAGE_OCTETS);
    await until(() => world.proxy.figures().connections === 0);
    await expectCounted(granted, relay);
    relay.stop();
  });
});

describe('TLS', () => {
  test('of the relay takes a renewed certificate without a new start', async () => {
    const url = world.proxy.endpoints.relay.replace('wss', 'https');
    const subject = async () => {
      const { stderr } = await run('curl', ['-sSkv', '--max-time', '10', '-o', '/dev/null', url]);
      return /subject: CN=(\w+)/.exec(stderr)?.[1];
    };
    expect(await subject()).toBe('first');
    const second = await certificate('second');
    await cp(second.keyFile, join(directory, 'first.key'));
    await cp(second.certFile, join(directory, 'first.crt'));
    let seen: string | undefined;
    for (let tries = 0; tries < 60 && seen !== 'second'; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      seen = await subject();
    }
    expect(seen).toBe('second');
  });

  test('of CONNECT is counted with its records, to the octet', async () => {
    const tls = await certificate('proxy');
    const endpoint = { host: '127.0.0.1', port: 0 };
    const hosts = [{ host: 'localhost', ports: [portOfServer(plain)] }];
    const other = await startWorld({
      application: { hosts, allowPrivate: ['127.0.0.0/8', '::1/128'] },
      more: { listen: { connect: { ...endpoint, tls }, socks5: endpoint, control: endpoint, relay: endpoint } },
    });
    try {
      const granted = await other.dispatch.grant();
      const relay = await startCountingRelay(Number(new URL(other.proxy.endpoints.connect).port));
      const user = `${granted.terms.sessionId}:${granted.token}`;
      const proxy = ['-p', '-x', `https://127.0.0.1:${relay.port}`, '--proxy-insecure', '--proxy-user', user];
      const { stdout } = await curl(
        ...proxy,
        '--data-binary',
        '@package.json',
        `http://localhost:${portOfServer(plain)}/`,
      );
      expect(Number(stdout)).toBeGreaterThan(PAGE_OCTETS);
      await until(() => relay.downlinkOctets > 0);
      const { uplinkOctets, downlinkOctets } = relay;
      await until(() => other.dispatch.octetsOf(granted.terms.sessionId).downlinkOctets >= downlinkOctets);
      expect(other.dispatch.octetsOf(granted.terms.sessionId)).toEqual({ uplinkOctets, downlinkOctets });
      relay.stop();
    } finally {
      await other.stop();
    }
  });
});
