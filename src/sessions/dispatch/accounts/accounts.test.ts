import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { decodeJwt, exportJWK, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../../../platform/telemetry/logger.ts';
import { ACCOUNT_TYPE, accountClaims, signAccountAssertion } from '../../protocol/account-assertion.ts';
import { ASSERTION_AUDIENCE } from '../../protocol/identity-assertion.ts';
import { type AskFields, ISSUER, MSISDN, OPERATOR_SECRET, SPONSOR_ISSUER, TestDispatch } from '../dispatch.fixture.ts';
import { sweepSessions } from '../sweep-sessions.ts';
import { Accounts } from './accounts.ts';

const OTHER_MSISDN = '491702222222';

let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
  await dispatch.heartbeat('edge-1');
});
afterEach(() => dispatch.remove());

const accountOf = (sessionId: string) => dispatch.context.store.session(sessionId)?.applicationAccount;

async function expectRefused(fields: AskFields, reason = 'account_unverified'): Promise<string> {
  const response = await dispatch.ask(fields);
  expect(response.json()).toMatchObject({ reason });
  // Whatever the reason, nothing is announced and no account is bound.
  expect(dispatch.proxies.announced.filter(({ announcement }) => announcement.state === 'open')).toEqual([]);
  return response.json().message;
}

/** An account assertion for the identity assertion, good but for what is changed. */
async function oddAssertion(
  identityAssertion: string,
  change: { alg?: string; typ?: string; audience?: string; claims?: object; key?: Parameters<SignJWT['sign']>[0] } = {},
): Promise<string> {
  const seconds = Math.floor(dispatch.clock.ms / 1000);
  const { iss, jti } = decodeJwt(identityAssertion);
  const claims = { iss: SPONSOR_ISSUER, sub: 'alice', jti: '1', iat: seconds, exp: seconds + 60 };
  return new SignJWT({ ...claims, applicationId: 'chat', identity: { iss, jti }, ...change.claims })
    .setProtectedHeader({ alg: change.alg ?? 'EdDSA', kid: 'development', typ: change.typ ?? ACCOUNT_TYPE })
    .setAudience(change.audience ?? ASSERTION_AUDIENCE)
    .sign(change.key ?? dispatch.sponsorKey);
}

function unsigned(header: object, payload: object): string {
  return [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
}

describe('the account of a session', () => {
  test('is the one that is proven, in the store and at the proxy, and a renewal does not change it', async () => {
    const session = await dispatch.open1();
    expect(accountOf(session.sessionId)).toBe('alice');
    expect(dispatch.proxies.last(session.sessionId)?.applicationAccount).toBe('alice');
    expect((await dispatch.renew(session)).statusCode).toBe(200);
    expect(dispatch.proxies.announced.map(({ announcement }) => announcement.applicationAccount)).toEqual(
      Array(dispatch.proxies.announced.length).fill('alice'),
    );
  });

  test('is never one that the terminal only names, with an identity assertion of its own', async () => {
    await expectRefused({ applicationAccount: 'bob', accountAssertion: undefined });
    const identityAssertion = await dispatch.assertion();
    const accountAssertion = await dispatch.accountAssertion(identityAssertion, { account: 'alice' });
    const message = await expectRefused({ identityAssertion, accountAssertion, applicationAccount: 'bob' });
    expect(message).toMatch(/another account/);
    // That was no use of either: the terminal may continue with what is proven.
    const session = await dispatch.open1({ identityAssertion, accountAssertion, applicationAccount: 'alice' });
    expect(accountOf(session.sessionId)).toBe('alice');
  });

  test.each([
    ['Cyrillic letters', '\u0430lice'],
    ['full-width letters', '\uff41lice'],
    ['capitals', 'Alice'],
    ['an invisible character', 'ali\u200bce'],
    ['a space', 'alice '],
    ['a null', 'alice\0'],
  ])('is compared octet by octet: not taken for it with %s', async (_, applicationAccount) => {
    const identityAssertion = await dispatch.assertion();
    const accountAssertion = await dispatch.accountAssertion(identityAssertion);
    await expectRefused({ identityAssertion, accountAssertion, applicationAccount });
  });

  test.each([
    ['a name that is not in normal form', 'ame\u0301lie'],
    ['full-width letters', '\uff41lice'],
    ['a ligature', '\ufb01nn'],
    ['an invisible character', 'ali\u200bce'],
    ['a text direction', '\u202ealice'],
    ['an invisible letter', 'alice\u3164'],
    ['a line break', 'alice\n'],
    ['a space at its end', 'alice '],
    ['a space that is none', 'alice\u1680b'],
    ['half of a surrogate pair', 'alice\ud800'],
    ['nothing', ''],
    ['more than 255 characters', 'a'.repeat(256)],
  ])('has one spelling: an assertion of %s is refused', async (_, account) => {
    const identityAssertion = await dispatch.assertion();
    const accountAssertion = await dispatch.accountAssertion(identityAssertion, { account });
    await expectRefused({ identityAssertion, accountAssertion });
  });

  test.each(['amélie', 'Алиса', '山田 太郎', 'alice & co', 'a'.repeat(255)])('may be %s', async (account) => {
    const identityAssertion = await dispatch.assertion();
    const accountAssertion = await dispatch.accountAssertion(identityAssertion, { account });
    const { sessionId } = await dispatch.open1({ identityAssertion, accountAssertion });
    expect(dispatch.proxies.last(sessionId)?.applicationAccount).toBe(account);
  });
});

describe('an account assertion is refused', () => {
  test('at another terminal than the one that it was issued to', async () => {
    const alices = await dispatch.accountAssertion(await dispatch.assertion());
    const message = await expectRefused({ msisdn: OTHER_MSISDN, accountAssertion: alices });
    expect(message).toMatch(/bound to another identity assertion/);
  });

  test('with another identity assertion of the same terminal, or one of another operator with the same jti', async () => {
    const first = await dispatch.assertion();
    await expectRefused({ accountAssertion: await dispatch.accountAssertion(first) });
    const { jti = '' } = decodeJwt(first);
    const identity = { iss: 'else', jti };
    await expectRefused({
      identityAssertion: first,
      accountAssertion: await dispatch.accountAssertion(first, { identity }),
    });
  });

  test.each<[string, (identityAssertion: string) => Promise<string>]>([
    ['of another application', (one) => dispatch.accountAssertion(one, { applicationId: 'talk' })],
    [
      "of another sponsor's key",
      (one) => dispatch.accountAssertion(one, {}, generateKeyPairSync('ed25519').privateKey),
    ],
    ["of the operator's key", (one) => dispatch.accountAssertion(one, {}, dispatch.operatorKey)],
    ['of another issuer', (one) => dispatch.accountAssertion(one, { issuer: ISSUER })],
    ['of another kind', (one) => oddAssertion(one, { typ: 'zerorate-identity+jwt' })],
    ['for another service', (one) => oddAssertion(one, { audience: 'shop' })],
    ['that is expired', (one) => oddAssertion(one, { claims: { exp: Math.floor(dispatch.clock.ms / 1000) - 1 } })],
    ['of the future', (one) => oddAssertion(one, { claims: inSeconds(600) })],
    [
      'of more than an hour',
      (one) => oddAssertion(one, { claims: { exp: Math.floor(dispatch.clock.ms / 1000) + 3601 } }),
    ],
    ['without an end', (one) => oddAssertion(one, { claims: { exp: undefined } })],
    ['without a beginning', (one) => oddAssertion(one, { claims: { iat: undefined } })],
    ['without an id', (one) => oddAssertion(one, { claims: { jti: undefined } })],
    ['without an account', (one) => oddAssertion(one, { claims: { sub: undefined } })],
    ['without an identity', (one) => oddAssertion(one, { claims: { identity: undefined } })],
    ['of a shared secret', (one) => oddAssertion(one, { alg: 'HS256', key: Buffer.alloc(32) })],
    ['that is nothing like one', async () => 'alice'],
    ['that is the identity assertion', async (one) => one],
    ['without a signature', async (one) => (await oddAssertion(one)).replace(/[^.]+$/, '')],
    [
      'of algorithm none',
      async (one) => `${unsigned({ alg: 'none', typ: ACCOUNT_TYPE }, decodeJwt(await oddAssertion(one)))}.`,
    ],
    [
      'of HS256 with the public key as the secret',
      async (one) => {
        const signed = unsigned(
          { alg: 'HS256', kid: 'development', typ: ACCOUNT_TYPE },
          decodeJwt(await oddAssertion(one)),
        );
        const pem = createPublicKey(dispatch.sponsorKey).export({ type: 'spki', format: 'pem' });
        return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
      },
    ],
    [
      'that brings its own key',
      async (one) => {
        const { privateKey, publicKey } = generateKeyPairSync('ed25519');
        return new SignJWT(decodeJwt(await oddAssertion(one)))
          .setProtectedHeader({ alg: 'EdDSA', typ: ACCOUNT_TYPE, jwk: await exportJWK(publicKey) })
          .sign(privateKey);
      },
    ],
  ])('%s', async (_, make) => {
    const identityAssertion = await dispatch.assertion();
    await expectRefused({ identityAssertion, accountAssertion: await make(identityAssertion) });
    // The identity assertion was not used up by it.
    await dispatch.open1({ identityAssertion });
  });

  const inSeconds = (seconds: number) => {
    const iat = Math.floor(dispatch.clock.ms / 1000) + seconds;
    return { iat, exp: iat + 60 };
  };

  test('that is too large to be read', async () => {
    await expectRefused({ accountAssertion: 'x'.repeat(4097) }, 'invalid_request');
  });

  test('whose id was used, even for the next identity assertion', async () => {
    await dispatch.open1({ accountAssertion: await oddAssertion(await dispatch.assertion()) }).catch(() => {});
    const first = await dispatch.assertion();
    expect(
      (await dispatch.ask({ identityAssertion: first, accountAssertion: await oddAssertion(first) })).statusCode,
    ).toBe(201);
    const second = await dispatch.assertion();
    const again = await dispatch.ask({ identityAssertion: second, accountAssertion: await oddAssertion(second) });
    expect(again.json()).toMatchObject({ reason: 'account_unverified' });
    expect(again.json().message).toMatch(/used before/);
  });
});

test('an account assertion may be signed on the curve P-256', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const claims = accountClaims(
    { issuer: 's', applicationId: 'chat', account: 'alice', identity: { iss: 'o', jti: '1' } },
    0,
    60,
  );
  const assertion = await signAccountAssertion(claims, { keyId: 'k', privateKey });
  expect(JSON.parse(Buffer.from(assertion.split('.')[0] ?? '', 'base64url').toString())).toMatchObject({
    alg: 'ES256',
  });
});

describe('assertions are used up by a grant alone', () => {
  test('not by a refusal, whatever its reason, nor when no proxy took the session over', async () => {
    const identityAssertion = await dispatch.assertion();
    const fields = { identityAssertion, accountAssertion: await dispatch.accountAssertion(identityAssertion) };
    await dispatch.suspend('acme');
    await expectRefused(fields, 'sponsor_suspended');
    await dispatch.suspend();
    dispatch.proxies.down.add('edge-1');
    await expectRefused(fields, 'no_proxy');
    dispatch.proxies.down.clear();
    await dispatch.open1(fields);
    const again = await dispatch.ask(fields);
    expect(again.json()).toMatchObject({ reason: 'assertion_invalid' });
  });

  test('once, of requests at the same time', async () => {
    const identityAssertion = await dispatch.assertion();
    const fields = { identityAssertion, accountAssertion: await dispatch.accountAssertion(identityAssertion) };
    const answers = await Promise.all(Array.from({ length: 8 }, () => dispatch.ask(fields)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, ...Array(7).fill(401)]);
  });
});

describe('an account is bound to the subscriber that uses it first', () => {
  const askAs = (msisdn: string, fields: AskFields = {}) => dispatch.ask({ msisdn, ...fields });
  const operator = { authorization: `Bearer ${OPERATOR_SECRET}` };
  const url = '/v1/accounts/chat?account=alice';

  test('and another one is refused, also after a restart; the first continues', async () => {
    await dispatch.open1();
    await dispatch.close();
    await dispatch.open();
    await dispatch.heartbeat('edge-1');
    const other = await askAs(OTHER_MSISDN);
    expect([other.statusCode, other.json().reason]).toEqual([409, 'account_bound']);
    expect(other.body).not.toContain(MSISDN);
    expect((await askAs(MSISDN)).statusCode).toBe(201);
    // Another account of the same subscriber, and the same name in another application, are other accounts.
    expect((await askAs(OTHER_MSISDN, { applicationAccount: 'bob' })).statusCode).toBe(201);
    expect((await askAs(OTHER_MSISDN, { applicationId: 'talk' })).statusCode).toBe(201);
  });

  test('of two at the same time, one', async () => {
    const answers = await Promise.all([MSISDN, OTHER_MSISDN, '491703333333'].map((msisdn) => askAs(msisdn)));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409, 409]);
  });

  test('to as many as the application allows', async () => {
    const talk = { applicationId: 'talk' };
    expect((await askAs(MSISDN, talk)).statusCode).toBe(201);
    expect((await askAs(OTHER_MSISDN, talk)).statusCode).toBe(201);
    expect((await askAs('491703333333', talk)).json().reason).toBe('account_bound');
    expect((await askAs(OTHER_MSISDN, talk)).statusCode).toBe(201);
  });

  test('not by a request that is refused', async () => {
    await dispatch.suspend('acme');
    expect((await askAs(MSISDN)).json().reason).toBe('sponsor_suspended');
    await dispatch.suspend();
    expect((await askAs(OTHER_MSISDN)).statusCode).toBe(201);
  });

  test('until the operator ends it, which revokes the sessions of the account and no others', async () => {
    const session = await dispatch.open1();
    const otherAccount = await dispatch.open1({ applicationAccount: 'alice-2' });
    const bound = await dispatch.call({ url, headers: operator });
    const subscriber = dispatch.pseudonymKey.pseudonymOf(MSISDN).toString('hex');
    expect(bound.json()).toEqual({ subscribers: [{ subscriber, boundAtMs: dispatch.clock.ms }] });
    const only = await dispatch.call({
      method: 'DELETE',
      url: `${url}&subscriber=${'0'.repeat(32)}`,
      headers: operator,
    });
    expect([only.statusCode, (await askAs(OTHER_MSISDN)).statusCode]).toEqual([204, 409]);
    expect((await dispatch.call({ method: 'DELETE', url, headers: operator })).statusCode).toBe(204);
    expect(dispatch.proxies.last(session.sessionId)).toMatchObject({ state: 'revoked' });
    expect(dispatch.proxies.last(otherAccount.sessionId)).toMatchObject({ state: 'open' });
    expect((await askAs(OTHER_MSISDN)).statusCode).toBe(201);
    expect((await askAs(MSISDN)).json().reason).toBe('account_bound');
  });

  test('and only the operator can end or see it', async () => {
    await dispatch.open1();
    for (const method of ['GET', 'DELETE'] as const) {
      for (const headers of [{}, { authorization: 'Bearer guess' }]) {
        expect((await dispatch.call({ method, url, headers })).statusCode).toBe(401);
      }
      const missing = await dispatch.call({ method, url: '/v1/accounts/chat', headers: operator });
      expect(missing.json()).toMatchObject({ reason: 'invalid_request' });
    }
    expect((await askAs(OTHER_MSISDN)).statusCode).toBe(409);
  });
});

test('a session that was opened before accounts were verified is revoked', async () => {
  const session = await dispatch.open1();
  await dispatch.context.store.changeSession(session.sessionId, ({ isAccountVerified: _, ...old }) => old);
  expect((await dispatch.renew(session)).json()).toMatchObject({ reason: 'session_over' });
  await sweepSessions(dispatch.context);
  expect(dispatch.proxies.last(session.sessionId)).toMatchObject({ state: 'revoked' });
});

test('an application that no way of verification is configured for gets no session', async () => {
  await dispatch.remove();
  dispatch = await TestDispatch.start({
    accounts: new Accounts(new Map(), createLogger({ level: 'silent', format: 'json' })),
  });
  await dispatch.heartbeat('edge-1');
  expect(await expectRefused({})).toMatch(/no way of verifying/);
});

test('while an account cannot be verified the terminal is asked to try again', async () => {
  await dispatch.remove();
  const verifier = { verify: () => Promise.reject(new Error('connect ECONNREFUSED')) };
  const accounts = new Map([['chat', { verifier, subscribersPerAccount: 1 }]]);
  dispatch = await TestDispatch.start({
    accounts: new Accounts(accounts, createLogger({ level: 'silent', format: 'json' })),
  });
  await dispatch.heartbeat('edge-1');
  expect((await dispatch.ask()).json()).toMatchObject({ reason: 'account_unverified', retryAfterMs: 1000 });
  const headers = { authorization: `Bearer ${OPERATOR_SECRET}` };
  const metrics = (await dispatch.call({ method: 'GET', url: '/metrics', headers })).body.split('\n');
  expect(metrics).toContain('zerorate_dispatch_accounts_unavailable_total{application="chat"} 1');
  expect(metrics).toContain('zerorate_dispatch_accounts_unavailable_total{application="talk"} 0');
});
