import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import { parseSessionTag, sessionTagKeys, tagMismatch, verifySessionTag } from '../protocol/session-tag.ts';
import { CATALOGUE_TEXT, PROXY_IDS, pinOf, TERMINAL_IP, TestDispatch } from './dispatch.fixture.ts';
import { proxyPlaceOf } from './proxies/announce.ts';
import { ProxyRegistry } from './proxies/proxy-registry.ts';

const ENDPOINTS = {
  connect: 'http://203.0.113.7:8081',
  socks5: 'socks5://203.0.113.7:1080',
  relay: 'ws://203.0.113.7:8082',
};
let dispatch: TestDispatch;

beforeEach(async () => {
  const text = CATALOGUE_TEXT.replace(
    '- { id: chat, sponsor: acme }',
    '- { id: chat, sponsor: acme, match: tag, tags: [CHAT], identifiedBy: [terminal_tag] }',
  );
  expect(text).not.toBe(CATALOGUE_TEXT);
  const { catalogue } = parseCatalogue(text, 'catalogue.yaml');
  if (catalogue === undefined) throw new Error('the catalogue has faults');
  const pins = new Map(PROXY_IDS.map((id) => [id, pinOf(id, id === 'edge-1' ? { endpoints: ENDPOINTS } : {})]));
  dispatch = await TestDispatch.start({ catalogue, proxies: new ProxyRegistry(pins, 0) });
  await dispatch.heartbeat('edge-1', { endpoints: ENDPOINTS });
});
afterEach(() => dispatch.remove());

async function verdictOf(text: string) {
  const keys = sessionTagKeys((await dispatch.call({ url: '/.well-known/jwks.json' })).json());
  const octets = parseSessionTag(text);
  if (octets === null) throw new Error(`not a tag: ${text}`);
  return verifySessionTag(octets, {
    findKey: (hint) => keys.get(hint) ?? 'unknown',
    nowMs: () => dispatch.clock.ms,
  });
}

test('a session’s tags are announced to its proxy, one for each content type that the plan covers, and verify with the key set', async () => {
  const { sessionId, contentShares } = await dispatch.open1();
  const tags = dispatch.proxies.last(sessionId)?.sessionTags ?? {};
  expect(Object.keys(tags)).toEqual(Object.keys(contentShares));
  for (const [contentType, text] of Object.entries(tags)) {
    const verdict = await verdictOf(text);
    if (verdict.fault !== undefined) throw new Error(verdict.fault);
    const binding = { sessionId, terminalIp: TERMINAL_IP, proxyId: 'edge-1', applicationId: 'chat' };
    const destination = { ip: '203.0.113.7', endpoint: 'socks5', port: 1080 } as const;
    expect(tagMismatch(verdict.tag, { ...binding, destination, contentType: contentType as 'text' })).toBeNull();
  }
});

test('tags expire with the token, and a renewal gives others', async () => {
  const grant = await dispatch.open1();
  const first = dispatch.proxies.last(grant.sessionId)?.sessionTags?.text ?? '';
  dispatch.clock.ms = grant.tokenExpiresAtMs - 1000;
  expect(await verdictOf(first)).toHaveProperty('tag');
  await dispatch.heartbeat('edge-1', { endpoints: ENDPOINTS });
  expect((await dispatch.renew(grant)).statusCode).toBe(200);
  const second = dispatch.proxies.last(grant.sessionId)?.sessionTags?.text ?? '';
  dispatch.clock.ms = grant.tokenExpiresAtMs;
  expect(await verdictOf(first)).toEqual({ fault: 'expired' });
  expect(await verdictOf(second)).toHaveProperty('tag');
});

test('other applications, and sessions that are over, have none', async () => {
  const other = await dispatch.open1({ applicationId: 'talk' });
  expect(dispatch.proxies.last(other.sessionId)).not.toHaveProperty('sessionTags');
  const own = await dispatch.open1();
  await dispatch.withToken('DELETE', `/v1/sessions/${own.sessionId}`, own.token);
  expect(dispatch.proxies.last(own.sessionId)).toMatchObject({ state: 'ended' });
  expect(dispatch.proxies.last(own.sessionId)).not.toHaveProperty('sessionTags');
});

test('a tag is bound to the address where terminals reach the proxy, and to no port within TLS', () => {
  const ports = { connect: 8081, socks5: 1080, relay: 8082 };
  expect(proxyPlaceOf(ENDPOINTS)).toEqual({ proxyIp: '203.0.113.7', proxyPorts: ports });
  expect(proxyPlaceOf({ ...ENDPOINTS, relay: 'wss://203.0.113.8' })).toEqual({
    proxyIp: null,
    proxyPorts: { ...ports, relay: 0 },
  });
  const names = { connect: 'http://p.example', socks5: 'socks5://p.example', relay: 'ws://p.example' };
  expect(proxyPlaceOf(names)).toEqual({ proxyIp: null, proxyPorts: { connect: 80, socks5: 1080, relay: 80 } });
  const six = { connect: 'http://[2001:db8::7]:1', socks5: 'socks5://[2001:db8::7]:2', relay: 'ws://[2001:db8::7]:3' };
  expect(proxyPlaceOf(six)).toEqual({ proxyIp: '2001:db8::7', proxyPorts: { connect: 1, socks5: 2, relay: 3 } });
});
