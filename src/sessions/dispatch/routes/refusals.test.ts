import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ASSERTION_AUDIENCE, ASSERTION_TYPE } from '../../protocol/identity-assertion.ts';
import { DISPATCH_REFUSALS } from '../../protocol/refusal.ts';
import {
  type AskFields,
  catalogueWithClaims,
  ISSUER,
  MSISDN,
  NOW_MS,
  ratesOf,
  TERMINAL_IP,
  TestDispatch,
} from '../dispatch.fixture.ts';
import { takeUpdates } from '../quota/take-updates.ts';

let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
  await dispatch.heartbeat('edge-1');
});
afterEach(() => dispatch.remove());

const tested = new Set<string>();
/** A second before the plan does. */
const EVIDENCE_ENDS_MS = Date.UTC(2026, 11, 1) - 1000;

async function refused(fields: AskFields, status: number, reason: string): Promise<string> {
  const response = await dispatch.ask(fields);
  expect([response.statusCode, response.json().reason]).toEqual([status, reason]);
  tested.add(reason);
  return response.json().message;
}

/** An assertion that is signed as it should be, but for what is changed. */
async function oddAssertion(change: {
  alg?: string;
  typ?: string;
  issuer?: string;
  audience?: string;
  claims?: object;
  key?: Parameters<SignJWT['sign']>[0];
}): Promise<string> {
  const seconds = Math.floor(dispatch.clock.ms / 1000);
  return new SignJWT({ terminalIp: TERMINAL_IP, ...change.claims })
    .setProtectedHeader({ alg: change.alg ?? 'EdDSA', kid: 'development', typ: change.typ ?? ASSERTION_TYPE })
    .setIssuer(change.issuer ?? ISSUER)
    .setSubject(MSISDN)
    .setAudience(change.audience ?? ASSERTION_AUDIENCE)
    .setJti('1')
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + 60)
    .sign(change.key ?? dispatch.operatorKey);
}

describe('a session is asked for', () => {
  test.each([
    ['no MSISDN', { msisdn: undefined }],
    ['letters for one', { msisdn: '4917O1' }],
    ['another field', { cap: 1e9 }],
  ])('with %s', async (_, fields) => {
    await refused(fields, 400, 'invalid_request');
  });

  test.each<[string, () => Promise<string>]>([
    ['nothing like one', async () => 'assertion'],
    ['one of another key', () => dispatch.assertion(MSISDN, TERMINAL_IP, generateKeyPairSync('ed25519').privateKey)],
    ['one of an unknown operator', () => oddAssertion({ issuer: 'else' })],
    ['a JWT of another kind', () => oddAssertion({ typ: 'JWT' })],
    ['one for another audience', () => oddAssertion({ audience: 'shop' })],
    ['one of a shared secret', () => oddAssertion({ alg: 'HS256', key: Buffer.alloc(32) })],
    ['one without an address', () => oddAssertion({ claims: { terminalIp: undefined } })],
    ['one that was changed', async () => (await dispatch.assertion()).replace(/\.[^.]+\./, `.${payloadOf('1234')}.`)],
    ['one without a signature', async () => (await dispatch.assertion()).replace(/[^.]+$/, '')],
  ])('with an assertion that is forged: %s', async (_, make) => {
    await refused({ identityAssertion: await make() }, 401, 'assertion_invalid');
  });

  test('with an assertion that is past its time', async () => {
    const identityAssertion = await dispatch.assertion();
    dispatch.clock.ms += 3_600_000;
    await refused({ identityAssertion }, 401, 'assertion_expired');
  });

  test('with an assertion that was used', async () => {
    const identityAssertion = await dispatch.assertion();
    expect((await dispatch.ask({ identityAssertion })).statusCode).toBe(201);
    expect(await refused({ identityAssertion }, 401, 'assertion_invalid')).toMatch(/used before/);
  });

  test('with an assertion of more than an hour', async () => {
    const identityAssertion = await dispatch.assertion(undefined, undefined, undefined, 7200);
    expect(await refused({ identityAssertion }, 401, 'assertion_invalid')).toMatch(/at most 3600 s/);
  });

  test('with another’s assertion', async () => {
    const other = await dispatch.assertion('491709999999');
    expect(await refused({ identityAssertion: other }, 401, 'assertion_mismatch')).toMatch(/another MSISDN/);
    const elsewhere = await dispatch.assertion(MSISDN, '127.9.0.2');
    expect(await refused({ identityAssertion: elsewhere }, 401, 'assertion_mismatch')).toMatch(/another address/);
    // The same address in another form is the same.
    expect(
      (await dispatch.ask({ identityAssertion: await dispatch.assertion(MSISDN, `::ffff:${TERMINAL_IP}`) })).statusCode,
    ).toBe(201);
  });

  test('while the operator’s keys cannot be had: it is to be tried again', async () => {
    await dispatch.remove();
    const identity = { verify: () => Promise.reject(new Error('connect ECONNREFUSED')) };
    dispatch = await TestDispatch.start({ identity });
    const response = await dispatch.ask();
    expect(response.json()).toMatchObject({ reason: 'assertion_invalid', retryAfterMs: 1000 });
  });

  test('for an account that is not proven, or is of another subscriber', async () => {
    await refused({ accountAssertion: undefined }, 403, 'account_unverified');
    await dispatch.open1();
    await refused({ msisdn: '491702222222' }, 409, 'account_bound');
  });

  test('and the documented order decides which reason is returned', async () => {
    await dispatch.suspend('acme');
    await refused({ applicationId: 'none' }, 404, 'unknown_application');
    await refused({ applicationId: 'idle', accountAssertion: 'forged' }, 403, 'account_unverified');
    await refused({ applicationId: 'idle' }, 403, 'sponsor_suspended');
    await dispatch.suspend();
    await refused({ applicationId: 'idle' }, 403, 'no_plan');
    await takeUpdates(dispatch.context, {
      partition: 0,
      nextOffset: 1,
      updates: [dispatch.update({ usedOctets: 950 })],
    });
    dispatch.clock.ms += 6001;
    await refused({}, 403, 'quota_exhausted');
    await refused({ applicationId: 'talk' }, 503, 'no_proxy');
  });

  test('when nothing that the engine recognises the application by is in force', async () => {
    const [before, until] = [NOW_MS - 1, NOW_MS].map((timeMs) => new Date(timeMs).toISOString());
    const claims: [string, number][] = [
      [`tags: [{ tag: CHAT, to: "${until}" }]`, 403],
      [`tags: [{ tag: CHAT, from: "${before}" }]`, 201],
      [`tags: [{ tag: CHAT, to: "${until}" }, { tag: CHAT-2, from: "${until}" }]`, 201],
      [`tags: [{ tag: CHAT, to: "${until}" }], prefixes: [192.0.2.0/24]`, 201],
      [`match: tag, tags: [{ tag: CHAT, to: "${until}" }], prefixes: [192.0.2.0/24]`, 403],
      [`match: both, tags: [CHAT], prefixes: [{ cidr: 192.0.2.0/24, to: "${until}" }]`, 403],
      [`match: ip, prefixes: [{ cidr: 192.0.2.0/24, from: "${until}" }]`, 201],
      [`match: cdr, aspIdentities: [{ identity: x, to: "${until}" }]`, 403],
    ];
    for (const [claimed, status] of claims) {
      dispatch.context.catalogue = catalogueWithClaims(claimed);
      const response = await dispatch.ask();
      expect([claimed, response.statusCode]).toEqual([claimed, status]);
      if (status === 403) await refused({}, 403, 'evidence_not_in_force');
    }
  });

  test('when exactly what the plan asks for is left, and when an octet more is', async () => {
    await takeUpdates(dispatch.context, {
      partition: 0,
      nextOffset: 1,
      updates: [dispatch.update({ usedOctets: 950 })],
    });
    await refused({}, 403, 'quota_exhausted');
    const more = dispatch.update({ usedOctets: 949, version: 2 });
    await takeUpdates(dispatch.context, { partition: 0, nextOffset: 2, updates: [more] });
    expect(await dispatch.open1()).toMatchObject({ sponsoredOctetsCap: 51, remainingOctets: 51 });
  });

  test('when the quota is reserved for another account’s session, with how long that can last', async () => {
    await dispatch.open1({ applicationAccount: 'bob' });
    dispatch.context.termsOf = () => ({ grantOctets: 2000, atCap: 'stop' });
    await dispatch.open1({ applicationAccount: 'carol' });
    const response = await dispatch.ask();
    expect([response.statusCode, response.json().reason]).toEqual([429, 'quota_reserved']);
    // Its token expires in 5 minutes, and 10 minutes later it is idle.
    expect(response.json().retryAfterMs).toBe(900_000);
    expect(response.headers['retry-after']).toBe('900');
    tested.add('quota_reserved');
  });

  test('when the subscriber has as many sessions as one may have', async () => {
    dispatch.context.sessionLimits = { perSubscriber: 2, overshootOctets: 0 };
    await dispatch.open1({ applicationId: 'talk' });
    const { sessionId, token } = await dispatch.open1({ applicationId: 'talk' });
    const response = await dispatch.ask();
    expect([response.statusCode, response.json().reason]).toEqual([429, 'too_many_sessions']);
    expect(response.json().retryAfterMs).toBeGreaterThan(0);
    const msisdn = '491702222222';
    expect(
      (await dispatch.ask({ msisdn, applicationAccount: 'bob', identityAssertion: await dispatch.assertion(msisdn) }))
        .statusCode,
    ).toBe(201);
    await dispatch.withToken('DELETE', `/v1/sessions/${sessionId}`, token);
    await refused({}, 429, 'too_many_sessions');
    await dispatch.report('edge-1', dispatch.usage(sessionId, 1, 0, { kind: 'end' }));
    expect((await dispatch.ask()).statusCode).toBe(201);
  });

  test('when all proxies are full by the dispatch server’s own count, whatever a heartbeat says', async () => {
    await dispatch.heartbeat('edge-1', { capacitySessions: 2 });
    const [{ sessionId }] = [await dispatch.open1(), await dispatch.open1()];
    await dispatch.heartbeat('edge-1', { capacitySessions: 2, openSessions: 0 });
    await refused({}, 503, 'no_proxy');
    await dispatch.close();
    await dispatch.open();
    await dispatch.heartbeat('edge-1', { capacitySessions: 2, openSessions: 0 });
    await refused({}, 503, 'no_proxy');
    await dispatch.report('edge-1', dispatch.usage(sessionId, 1, 0, { kind: 'end' }));
    expect((await dispatch.ask()).statusCode).toBe(201);
  });

  test('when all proxies are full, or serve other applications', async () => {
    await dispatch.heartbeat('edge-1', { openSessions: 5, capacitySessions: 5 });
    await dispatch.heartbeat('edge-2', { applicationIds: ['talk'] });
    await refused({}, 503, 'no_proxy');
  });

  test('when no proxy can be reached, which costs the subscriber nothing', async () => {
    dispatch.proxies.down.add('edge-1');
    await refused({}, 503, 'no_proxy');
    dispatch.proxies.down.clear();
    expect(await dispatch.open1()).toMatchObject({ remainingOctets: 1000 });
  });

  test('too often by a subscriber: each has a share of its own, which no other can use up', async () => {
    await dispatch.remove();
    dispatch = await TestDispatch.start({
      rateLimits: ratesOf(1000, { perSubscriber: { requests: 2, intervalMs: 60_000 } }),
    });
    await dispatch.heartbeat('edge-1');
    for (let i = 0; i < 5; i++) await refused({ identityAssertion: 'forged' }, 401, 'assertion_invalid');
    for (let i = 0; i < 2; i++) expect((await dispatch.ask()).statusCode).toBe(201);
    const response = await dispatch.ask();
    expect([response.statusCode, response.json().reason]).toEqual([429, 'rate_limited']);
    expect(response.json().retryAfterMs).toBeGreaterThan(0);
    expect(response.json().retryAfterMs).toBeLessThanOrEqual(60_000);
    const msisdn = '491702222222';
    expect((await dispatch.ask({ msisdn, applicationAccount: 'bob' })).statusCode).toBe(201);
    tested.add('rate_limited');
  });

  test('too often from an address, whatever is asked', async () => {
    await dispatch.remove();
    dispatch = await TestDispatch.start({
      rateLimits: ratesOf(1000, { perAddress: { requests: 2, intervalMs: 60_000 } }),
    });
    await refused({ msisdn: 'x' }, 400, 'invalid_request');
    await refused({ identityAssertion: 'forged' }, 401, 'assertion_invalid');
    await refused({ msisdn: 'x' }, 429, 'rate_limited');
    const elsewhere = await dispatch.call({ method: 'GET', url: '/v1/sessions/1', remoteAddress: '127.9.0.77' });
    expect(elsewhere.statusCode).toBe(404);
  });
});

describe('a session’s holder', () => {
  const reasonOf = async (response: Promise<{ statusCode: number; json: () => { reason: string } }>) => {
    const { statusCode, json } = await response;
    tested.add(json().reason);
    return [statusCode, json().reason];
  };

  test('needs an unexpired token of this session, at the address that it was given to', async () => {
    const [one, other] = [await dispatch.open1(), await dispatch.open1()];
    const url = `/v1/sessions/${one.sessionId}`;
    const unknown = '/v1/sessions/none';
    expect(await reasonOf(dispatch.withToken('GET', unknown, one.token))).toEqual([404, 'session_unknown']);
    expect(await reasonOf(dispatch.withToken('GET', url, other.token))).toEqual([401, 'token_invalid']);
    expect(await reasonOf(dispatch.withToken('GET', url, `${one.token}x`))).toEqual([401, 'token_invalid']);
    expect(await reasonOf(dispatch.call({ method: 'GET', url }))).toEqual([401, 'token_invalid']);
    const elsewhere = { remoteAddress: '127.9.0.2' };
    expect(await reasonOf(dispatch.withToken('GET', url, one.token, elsewhere))).toEqual([401, 'token_invalid']);
    dispatch.clock.ms = one.tokenExpiresAtMs;
    expect(await reasonOf(dispatch.renew(one))).toEqual([401, 'token_invalid']);
  });

  test('gets no renewal of a session that is over', async () => {
    const session = await dispatch.open1();
    const url = `/v1/sessions/${session.sessionId}`;
    expect((await dispatch.withToken('DELETE', url, session.token)).statusCode).toBe(204);
    expect((await dispatch.withToken('DELETE', url, session.token)).statusCode).toBe(204);
    expect(await reasonOf(dispatch.renew(session))).toEqual([409, 'session_over']);
    expect((await dispatch.withToken('GET', url, session.token)).json()).toMatchObject({ state: 'ended' });
  });

  test.each<[string, () => Promise<void> | void, [number, string]]>([
    ['its sponsor is suspended', () => dispatch.suspend('acme'), [403, 'sponsor_suspended']],
    [
      'its application’s evidence has ended',
      () => dispatch.clock.moveTo(EVIDENCE_ENDS_MS),
      [403, 'evidence_not_in_force'],
    ],
    ['its plan has ended', () => dispatch.clock.moveTo(Date.UTC(2026, 11, 1)), [403, 'no_plan']],
    ['its proxy is away', () => void dispatch.proxies.down.add('edge-1'), [503, 'no_proxy']],
  ])('gets no renewal when %s', async (_, change, expected) => {
    dispatch.context.catalogue = catalogueWithClaims(
      `tags: [{ tag: CHAT, to: ${new Date(EVIDENCE_ENDS_MS).toISOString()} }]`,
    );
    dispatch.clock.ms = EVIDENCE_ENDS_MS - 60_000;
    await dispatch.heartbeat('edge-1');
    const session = await dispatch.open1();
    await change();
    expect(await reasonOf(dispatch.renew(session))).toEqual(expected);
  });
});

test('a server that does not know quotas and suspensions yet refuses terminals, and takes heartbeats', async () => {
  let knows = false;
  const starting = await TestDispatch.start({ isStarted: () => knows });
  try {
    const refusal = await starting.ask();
    expect([refusal.statusCode, refusal.json().reason, refusal.headers['retry-after']]).toEqual([503, 'starting', '1']);
    tested.add('starting');
    await starting.heartbeat('edge-1');
    knows = true;
    await starting.open1();
  } finally {
    await starting.remove();
  }
});

test('every reason has been met', () => {
  expect([...tested].sort()).toEqual(Object.keys(DISPATCH_REFUSALS).sort());
});

function payloadOf(msisdn: string): string {
  const seconds = Math.floor(dispatch.clock.ms / 1000);
  const claims = {
    iss: ISSUER,
    sub: msisdn,
    aud: ASSERTION_AUDIENCE,
    terminalIp: TERMINAL_IP,
    jti: '1',
    iat: seconds,
    exp: seconds + 60,
  };
  return Buffer.from(JSON.stringify(claims)).toString('base64url');
}
