import { createLocalJWKSet, decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Announcement } from '../protocol/dispatch-messages.ts';
import { verifySessionToken } from '../protocol/session-token.ts';
import { catalogueWithClaims, NOW_MS, OPERATOR_SECRET, TestDispatch, text } from './dispatch.fixture.ts';
import { takeUpdates } from './quota/take-updates.ts';
import { sweepSessions } from './sweep-sessions.ts';

let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
  await dispatch.heartbeat('edge-1');
});
afterEach(() => dispatch.remove());

const DAY_MS = 86_400_000;
const take = (...updates: object[]) =>
  takeUpdates(dispatch.context, {
    partition: 0,
    nextOffset: 1,
    updates: updates.map((fields) => dispatch.update(fields)),
  });
const sweep = () => sweepSessions(dispatch.context);

describe('a session', () => {
  test('is announced before its token is given, and the token verifies at its proxy', async () => {
    const grant = await dispatch.open1();
    const { sessionId, tokenId, sessionKey } = grant;
    expect(dispatch.proxies.announced).toEqual([
      {
        proxyId: 'edge-1',
        announcement: expect.objectContaining({ sessionId, tokenId, sessionKey, revision: 1, state: 'open' }),
      },
    ]);
    const keys = (await dispatch.call({ url: '/.well-known/jwks.json' })).json();
    expect(JSON.stringify(keys)).not.toContain('"d"');
    const options = { getKey: createLocalJWKSet(keys), proxyId: 'edge-1', nowMs: dispatch.clock.ms };
    expect(await verifySessionToken(grant.token, options)).toMatchObject({
      claims: { sessionId, sponsoredOctetsCap: 300 },
    });
  });

  test('goes to the next proxy when the first cannot be reached', async () => {
    await dispatch.heartbeat('edge-2', { region: 'south' });
    dispatch.proxies.down.add('edge-1');
    expect(await dispatch.open1({ region: 'north' })).toMatchObject({ proxy: { proxyId: 'edge-2' } });
  });

  test('has another token id and key at each proxy, as one that did not answer may have taken those before', async () => {
    await dispatch.heartbeat('edge-2', { region: 'south' });
    const sent: Announcement[] = [];
    const announce = dispatch.proxies.announce.bind(dispatch.proxies);
    dispatch.proxies.announce = (proxyId, announcement) => {
      sent.push(announcement);
      return announce(proxyId, announcement);
    };
    dispatch.proxies.down.add('edge-1');
    const grant = await dispatch.open1({ region: 'north' });
    const [passedOver, taken] = sent;
    expect(grant).toMatchObject({ tokenId: taken.tokenId, sessionKey: taken.sessionKey });
    expect(decodeJwt(grant.token).jti).toBe(taken.tokenId);
    expect(passedOver.sessionId).toBe(grant.sessionId);
    expect(passedOver.tokenId).not.toBe(grant.tokenId);
    expect(passedOver.sessionKey).not.toBe(grant.sessionKey);
  });

  test('has one token at one revision, also where a sweep announces it while it is opened', async () => {
    await dispatch.heartbeat('edge-2', { region: 'south' });
    dispatch.proxies.down.add('edge-1');
    let isOpening = true;
    const sweeping = (async () => {
      while (isOpening) await sweep().then(() => new Promise(setImmediate));
    })();
    const tokens = new Map<string, Set<string>>();
    const announce = dispatch.proxies.announce.bind(dispatch.proxies);
    dispatch.proxies.announce = async (proxyId, announcement) => {
      const { sessionId, revision, tokenId, sessionKey } = announcement;
      const at = `${sessionId} ${revision}`;
      tokens.set(at, (tokens.get(at) ?? new Set()).add(`${tokenId} ${sessionKey}`));
      return announce(proxyId, announcement);
    };
    for (let at = 0; at < 3; at++) await dispatch.open1({ region: 'north', applicationAccount: `account-${at}` });
    isOpening = false;
    await sweeping;
    expect([...tokens.values()].filter(({ size }) => size > 1)).toEqual([]);
  });

  test('gets a higher cap with each renewal until the quota is given away', async () => {
    let grant = await dispatch.open1();
    await dispatch.report('edge-1', dispatch.usage(grant.sessionId, 1, 290));
    grant = (await dispatch.renew(grant)).json();
    expect(grant).toMatchObject({ sponsoredOctetsCap: 590, remainingOctets: 710 });
    expect(dispatch.proxies.last(grant.sessionId)).toMatchObject({
      revision: 2,
      tokenId: grant.tokenId,
      sponsoredOctetsCap: 590,
    });
    await dispatch.report('edge-1', dispatch.usage(grant.sessionId, 2, 290));
    await dispatch.report('edge-1', dispatch.usage(grant.sessionId, 3, 290));
    expect((await dispatch.renew(grant)).json()).toMatchObject({ sponsoredOctetsCap: 1000, remainingOctets: 130 });
    await dispatch.report('edge-1', dispatch.usage(grant.sessionId, 4, 130));
    expect((await dispatch.renew(grant)).json()).toMatchObject({ reason: 'quota_exhausted' });
  });

  test('a hundred requests of many accounts at once are never given more than the quota', async () => {
    const asked = Array.from({ length: 100 }, (_, at) => dispatch.ask({ applicationAccount: `account-${at}` }));
    const answers = await Promise.all(asked);
    const granted = answers.filter(({ statusCode }) => statusCode === 201).map((answer) => answer.json());
    expect(granted.map(({ sponsoredOctetsCap }) => sponsoredOctetsCap).sort()).toEqual([100, 300, 300, 300]);
    const refused = answers.filter(({ statusCode }) => statusCode !== 201).map((answer) => answer.json().reason);
    expect(new Set(refused)).toEqual(new Set(['quota_reserved']));
  });

  test('is revoked by the operator alone', async () => {
    const { sessionId } = await dispatch.open1();
    const revoke = (secret: string) =>
      dispatch.withToken('POST', `/v1/sessions/${sessionId}/revocation`, secret).then(({ statusCode }) => statusCode);
    expect(await revoke('guess')).toBe(401);
    expect(await revoke(OPERATOR_SECRET)).toBe(204);
    expect(dispatch.proxies.last(sessionId)).toMatchObject({ state: 'revoked', revision: 2 });
  });

  test('is revoked when its sponsor is suspended, also at a proxy that was away meanwhile', async () => {
    const { sessionId } = await dispatch.open1();
    await dispatch.suspend('acme');
    dispatch.proxies.down.add('edge-1');
    await sweep();
    expect(dispatch.proxies.last(sessionId)).toMatchObject({ state: 'open' });
    dispatch.proxies.down.clear();
    await sweep();
    expect(dispatch.proxies.last(sessionId)).toMatchObject({ state: 'revoked' });
  });

  test('is over when nothing that its application is recognised by is in force any more', async () => {
    const until = new Date(NOW_MS + 2000).toISOString();
    dispatch.context.catalogue = catalogueWithClaims(`match: tag, tags: [{ tag: CHAT, to: "${until}" }]`);
    const { sessionId } = await dispatch.open1();
    dispatch.clock.moveTo(NOW_MS + 1999);
    await sweep();
    expect(dispatch.proxies.last(sessionId)).toMatchObject({ state: 'open' });
    dispatch.clock.moveTo(NOW_MS + 2000);
    await sweep();
    expect(dispatch.proxies.last(sessionId)).toMatchObject({ state: 'ended' });
  });

  test('that its proxy does not take holds up no announcement of another', async () => {
    const [odd, other] = [await dispatch.open1(), await dispatch.open1()].sort((a, b) =>
      a.sessionId < b.sessionId ? -1 : 1,
    );
    dispatch.proxies.over.add(odd.sessionId);
    await dispatch.suspend('acme');
    await sweep();
    expect(dispatch.proxies.last(odd.sessionId)).toMatchObject({ state: 'open' });
    expect(dispatch.proxies.last(other.sessionId)).toMatchObject({ state: 'revoked' });
  });

  test('is revoked when the engine says that the quota is used up, or continues at the subscriber’s cost', async () => {
    const stopped = await dispatch.open1();
    await take({ usedOctets: 999, version: 1 });
    expect(dispatch.proxies.last(stopped.sessionId)).toMatchObject({ state: 'open' });
    await take({ usedOctets: 1000, version: 2 });
    expect(dispatch.proxies.last(stopped.sessionId)).toMatchObject({ state: 'revoked' });
    dispatch.context.termsOf = () => ({ grantOctets: 300, atCap: 'subscriber_pays' });
    dispatch.clock.ms += DAY_MS;
    await dispatch.heartbeat('edge-1');
    const going = await dispatch.open1();
    await dispatch.report('edge-1', dispatch.usage(going.sessionId, 1, 20));
    await take({ usedOctets: 1000, version: 3, periodStart: dispatch.update().periodStart + 1 });
    expect(dispatch.proxies.last(going.sessionId)).toMatchObject({ state: 'open', sponsoredOctetsCap: 20 });
  });

  test('stays valid over key rotation until its token expires', async () => {
    dispatch.clock.ms += DAY_MS - 60_000;
    await dispatch.heartbeat('edge-1');
    const grant = await dispatch.open1();
    dispatch.clock.ms += 120_000;
    await dispatch.rotateKeys();
    const renewed = (await dispatch.renew(grant)).json();
    expect(decodeProtectedHeader(renewed.token).kid).not.toBe(decodeProtectedHeader(grant.token).kid);
    expect((await dispatch.call({ url: '/.well-known/jwks.json' })).json().keys).toHaveLength(3);
    dispatch.clock.ms += 300_000;
    await dispatch.rotateKeys();
    expect((await dispatch.call({ url: '/.well-known/jwks.json' })).json().keys).toHaveLength(2);
  });
});

describe('reports', () => {
  test('count once, however often they are sent, in any order, after the end too', async () => {
    const { sessionId } = await dispatch.open1();
    const [first, second] = [dispatch.usage(sessionId, 1, 10), dispatch.usage(sessionId, 2, 20)];
    const end = dispatch.usage(sessionId, 3, 5, { kind: 'end', ending: 'idle' });
    expect(await dispatch.report('edge-1', end, first)).toMatchObject({ accepted: 2, known: 0 });
    // The second is missing: what it may hold stays reserved.
    expect((await dispatch.open1()).remainingOctets).toBe(1000 - 15 - 285);
    expect(await dispatch.report('edge-1', first, end)).toMatchObject({ accepted: 0, known: 2 });
    expect(await dispatch.report('edge-1', second)).toMatchObject({
      accepted: 1,
      sessions: [{ sessionId, state: 'ended', remainingOctets: 1000 - 35 - 300 }],
    });
  });

  test('of another proxy’s session are not taken, and reveal nothing to it', async () => {
    const { sessionId } = await dispatch.open1();
    await dispatch.heartbeat('edge-2');
    const report = dispatch.usage(sessionId, 1, 100, { proxyId: 'edge-2' });
    expect(await dispatch.report('edge-2', report)).toMatchObject({
      outcomes: [{ outcome: 'refused', reason: 'session_unknown' }],
      sessions: [{ sessionId, state: 'unknown', sponsoredOctetsCap: 0, remainingOctets: 0 }],
    });
    expect(await dispatch.report('edge-2', dispatch.usage(sessionId, 1, 100))).toMatchObject({
      outcomes: [{ outcome: 'refused', reason: 'other_proxy' }],
      sessions: [],
    });
    expect(dispatch.context.store.session(sessionId)).toMatchObject({ usedSponsoredOctets: 0 });
  });

  test('and quotas survive a restart, and go to the operator by their time', async () => {
    const grant = await dispatch.open1();
    await dispatch.report('edge-1', dispatch.usage(grant.sessionId, 1, 100));
    await take({ usedOctets: 150 });
    await dispatch.close();
    await dispatch.open();
    await dispatch.heartbeat('edge-1');
    expect(dispatch.context.store.nextOffset(0)).toBe(1);
    expect((await dispatch.open1()).remainingOctets).toBe(1000 - 150 - 200);
    const lines = (query: string, secret = OPERATOR_SECRET) =>
      dispatch.withToken('GET', `/v1/usage-reports${query}`, secret).then(({ body }) => body);
    const line = JSON.parse(await lines(`?fromMs=${dispatch.clock.ms}&toMs=${dispatch.clock.ms + 1}`));
    expect(line).toMatchObject({ sessionId: grant.sessionId, sponsorId: 'acme', usage: [text(100)] });
    expect(await lines(`?toMs=${dispatch.clock.ms}`)).toBe('');
    expect(await lines('', 'guess')).toContain('token_invalid');
  });

  test('of a new period count in that one; what an open session may still use is reserved in it', async () => {
    // Midnight in Tokyo is 15:00Z.
    const { sessionId } = await dispatch.open1();
    await dispatch.report('edge-1', dispatch.usage(sessionId, 1, 100));
    await take({ usedOctets: 600 });
    dispatch.clock.ms += 3 * 3_600_000;
    await dispatch.heartbeat('edge-1');
    expect((await dispatch.open1()).remainingOctets).toBe(1000 - 200);
    const late = dispatch.usage(sessionId, 2, 100, { startTimeMs: dispatch.clock.ms - 1 });
    await dispatch.report('edge-1', late, dispatch.usage(sessionId, 3, 60));
    expect((await dispatch.open1()).remainingOctets).toBe(1000 - 60 - 300 - 40);
  });
});

describe('of a silent proxy', () => {
  test('sessions are over, and what they had is free again only when nothing can come of it', async () => {
    const { sessionId } = await dispatch.open1();
    await dispatch.heartbeat('edge-2');
    dispatch.proxies.down.add('edge-1');
    dispatch.clock.ms += 61_000;
    await dispatch.heartbeat('edge-2');
    await sweep();
    expect(dispatch.context.store.session(sessionId)).toMatchObject({ state: 'ended', ending: 'expired' });
    dispatch.clock.ms += 2_000_000;
    await dispatch.heartbeat('edge-2');
    await sweep();
    const reserved = () => dispatch.context.store.session(sessionId)?.isSettled === false;
    expect(reserved()).toBe(true);
    // It is back and acknowledges the end, but has lost its reports.
    dispatch.proxies.down.clear();
    await dispatch.heartbeat('edge-1');
    await sweep();
    expect(dispatch.proxies.last(sessionId)).toMatchObject({ state: 'ended' });
    dispatch.clock.ms += 900_000;
    await sweep();
    expect(reserved()).toBe(true);
    dispatch.clock.ms += 1;
    await sweep();
    expect(reserved()).toBe(false);
  });
});

test('the documentation describes every route, and is a page', async () => {
  const { openapi, paths } = (await dispatch.call({ url: '/documentation/json' })).json();
  expect(openapi).toBe('3.1.0');
  expect(Object.keys(paths).sort()).toEqual([
    '/.well-known/jwks.json',
    '/health/live',
    '/health/ready',
    '/metrics',
    '/v1/accounts/{applicationId}',
    '/v1/proxies/{proxyId}',
    '/v1/sessions',
    '/v1/sessions/{sessionId}',
    '/v1/sessions/{sessionId}/renewal',
    '/v1/sessions/{sessionId}/revocation',
    '/v1/subscribers/erasure',
    '/v1/usage-reports',
  ]);
  expect(Object.keys(paths['/v1/sessions'].post.responses)).toEqual(
    '201 400 401 403 404 405 408 409 413 414 415 429 431 500 503'.split(' '),
  );
  expect((await dispatch.call({ url: '/documentation/' })).headers['content-type']).toContain('text/html');
});
