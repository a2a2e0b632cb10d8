import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeAuthority } from '../../../../test/servers/certificates.ts';
import { PeerSecret } from '../../../platform/http/peer-secret.ts';
import { OPERATOR_SECRET, pinOf, secretOf, TestDispatch } from '../dispatch.fixture.ts';
import { ProxyRegistry } from './proxy-registry.ts';

let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
});
afterEach(() => dispatch.remove());

const endpoints = { connect: 'http://127.0.0.1:1', socks5: 'socks5://127.0.0.1:2', relay: 'ws://127.0.0.1:3' };

describe('a proxy is registered as the configuration says, and as nothing else', () => {
  test.each([
    ['another control URL', { controlUrl: 'http://169.254.169.254/' }, 'control_url_not_pinned'],
    ['another port of it', { controlUrl: 'http://127.0.0.1:5' }, 'control_url_not_pinned'],
    ['another path of it', { controlUrl: 'http://127.0.0.1:4/x' }, 'control_url_not_pinned'],
    ['credentials in it', { controlUrl: 'http://a:b@127.0.0.1:4' }, 'control_url_not_pinned'],
    ['another CONNECT address', { endpoints: { ...endpoints, connect: 'http://127.0.0.1:9' } }, 'endpoint_not_pinned'],
    ['another SOCKS5 address', { endpoints: { ...endpoints, socks5: 'socks5://10.0.0.1:2' } }, 'endpoint_not_pinned'],
    ['another relay', { endpoints: { ...endpoints, relay: 'wss://127.0.0.1:3' } }, 'endpoint_not_pinned'],
    ['another application', { applicationIds: ['chat', 'bank'] }, 'application_not_pinned'],
  ])('%s', async (_, fields, reason) => {
    const response = await dispatch.register('edge-1', fields);
    expect([response.statusCode, response.json().reason]).toEqual([403, reason]);
    expect((await dispatch.ask()).json().reason).toBe('no_proxy');
    const health = (await dispatch.call({ url: '/health/ready' })).json();
    expect(health).toMatchObject({ ready: true, warnings: { 'registration.edge-1': expect.stringContaining(reason) } });
    await dispatch.heartbeat('edge-1');
    expect((await dispatch.call({ url: '/health/ready' })).json().warnings).toEqual({});
  });

  test('the same URL in another form is the same, and fewer applications are fine', async () => {
    await dispatch.heartbeat('edge-1', { controlUrl: 'HTTP://127.0.0.1:4/', applicationIds: ['chat'] });
  });

  test('a secret is good for its own proxy alone', async () => {
    const other = await dispatch.register('edge-2', {}, secretOf('edge-1'));
    expect([other.statusCode, other.json().reason]).toEqual([403, 'other_proxy']);
    for (const guess of ['guess', secretOf('edge-3'), OPERATOR_SECRET]) {
      const response = await dispatch.register('edge-1', {}, guess);
      expect([response.statusCode, response.json().reason]).toEqual([401, 'token_invalid']);
      expect(response.body).not.toContain(guess);
    }
    expect((await dispatch.register('edge-9')).statusCode).toBe(401);
  });

  test('who calls is known before the body is read', async () => {
    for (const [method, url] of [
      ['PUT', '/v1/proxies/edge-1'],
      ['POST', '/v1/usage-reports'],
    ] as const) {
      const headers = { authorization: 'Bearer guess', 'content-type': 'application/json' };
      expect((await dispatch.call({ method, url, headers, payload: '{' })).statusCode).toBe(401);
    }
  });

  test('two secrets are accepted while one is rotated', async () => {
    await dispatch.close();
    const secret = PeerSecret.of('the-next-secret-of-edge-1\nthe-last-secret-of-edge-1');
    const proxies = new ProxyRegistry(new Map([['edge-1', pinOf('edge-1', { secret })]]), dispatch.clock.ms);
    await dispatch.open({ proxies });
    const status = async (given: string) => (await dispatch.register('edge-1', {}, given)).statusCode;
    expect(await status('the-next-secret-of-edge-1')).toBe(200);
    expect(await status('the-last-secret-of-edge-1')).toBe(200);
    expect(await status(secretOf('edge-1'))).toBe(401);
  });
});

describe('by client certificate', () => {
  test('the pinned certificate of the own authority is the proxy, and neither another one nor the secret', async () => {
    await dispatch.close();
    const directory = mkdtempSync(join(tmpdir(), 'zerorate-mtls-'));
    const [own, foreign] = [await makeAuthority(directory, 'own'), await makeAuthority(directory, 'foreign')];
    const server = await own.issue('dispatch');
    const [edge1, edge2, unknown, forged] = await Promise.all([
      own.issue('edge-1'),
      own.issue('edge-2'),
      own.issue('edge-3'),
      foreign.issue('edge-1'),
    ]);
    const { X509Certificate } = await import('node:crypto');
    const { fingerprint256 } = new X509Certificate(readFileSync(edge2.cert));
    const pins = new Map([
      ['edge-1', pinOf('edge-1', { clientCertificate: { subject: 'CN = edge-1' } })],
      ['edge-2', pinOf('edge-2', { clientCertificate: { fingerprint256: fingerprint256.toLowerCase() } })],
    ]);
    const read = (file: string) => readFileSync(file, 'utf8');
    const tls = { cert: read(server.cert), key: read(server.key), ca: read(own.ca) };
    await dispatch.open({
      proxies: new ProxyRegistry(pins, dispatch.clock.ms),
      tls: { ...tls, requestCert: true, rejectUnauthorized: false },
    });
    await dispatch.http.listen({ host: '127.0.0.1', port: 0 });
    const { port } = dispatch.http.server.address() as AddressInfo;
    const heartbeat = async (proxyId: string, certificate: { cert: string; key: string } | null) => {
      const mine = certificate === null ? {} : { cert: read(certificate.cert), key: read(certificate.key) };
      const dispatcher = new Agent({ connect: { ca: tls.ca, ...mine } });
      const { statusCode, body } = await request(`https://127.0.0.1:${port}/v1/proxies/${proxyId}`, {
        method: 'PUT',
        dispatcher,
        headers: { authorization: `Bearer ${secretOf(proxyId)}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          region: 'north',
          endpoints,
          controlUrl: 'http://127.0.0.1:4',
          applicationIds: ['chat'],
          openSessions: 0,
          capacitySessions: 1,
          octetsPerSecond: 0,
        }),
      });
      await body.dump();
      await dispatcher.close();
      return statusCode;
    };
    try {
      expect(await heartbeat('edge-1', edge1)).toBe(200);
      expect(await heartbeat('edge-2', edge2)).toBe(200);
      expect(await heartbeat('edge-2', edge1)).toBe(403);
      for (const odd of [unknown, forged, null]) expect(await heartbeat('edge-1', odd)).toBe(401);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('the clock of a proxy', () => {
  const warnings = async () => (await dispatch.call({ url: '/health/ready' })).json().warnings;

  test('is tolerated to the bound; beyond it the proxy is given no sessions, by name', async () => {
    const { ms } = dispatch.clock;
    await dispatch.heartbeat('edge-1', { sentAtMs: ms + 900, clockSkewMs: 900 });
    expect(await warnings()).toEqual({});
    await dispatch.heartbeat('edge-1', { sentAtMs: ms - 5000, clockSkewMs: -5000 });
    expect(await warnings()).toMatchObject({ 'clockSkew.edge-1': expect.stringMatching(/5000 ms behind.*within/) });
    expect((await dispatch.ask()).statusCode).toBe(201);
    await dispatch.heartbeat('edge-1', { sentAtMs: ms + 5001, clockSkewMs: 5001 });
    const excessive = /edge-1 is 5001 ms ahead of.*is given no sessions/;
    expect(await warnings()).toMatchObject({ 'clockSkew.edge-1': expect.stringMatching(excessive) });
    expect((await dispatch.ask()).json().reason).toBe('no_proxy');
    const metrics = await dispatch.withToken('GET', '/metrics', OPERATOR_SECRET);
    expect(metrics.body).toMatch(/zerorate_dispatch_proxy_clock_skew_seconds\{proxy="edge-1"\} 5\.001/);
    expect(metrics.body).toMatch(/zerorate_dispatch_proxies\{state="clock_off"\} 1/);
    await dispatch.heartbeat('edge-1', { sentAtMs: ms, clockSkewMs: 0 });
    expect(await warnings()).toEqual({});
    expect((await dispatch.ask({ applicationAccount: 'bob' })).statusCode).toBe(201);
  });

  test('that was set since the last measurement is noticed at once, in either direction', async () => {
    const { ms } = dispatch.clock;
    for (const byMs of [3_600_000, -3_600_000]) {
      await dispatch.heartbeat('edge-1', { sentAtMs: ms + byMs, clockSkewMs: 0 });
      expect((await dispatch.ask()).json().reason).toBe('no_proxy');
    }
    // A way of three seconds is no skew where the midpoint says that there is none.
    await dispatch.heartbeat('edge-1', { sentAtMs: ms - 7000, clockSkewMs: 10 });
    expect(dispatch.context.proxies.get('edge-1')).toMatchObject({ clockSkewMs: 10 });
  });

  test('is measured by the answer’s times', async () => {
    const response = await dispatch.register('edge-1');
    expect(response.json()).toEqual({
      nextWithinMs: 2000,
      receivedAtMs: dispatch.clock.ms,
      answeredAtMs: dispatch.clock.ms,
    });
  });
});
