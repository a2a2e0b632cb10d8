import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TestClock } from '../dispatch.fixture.ts';
import { AccountCallback, type AccountCallbackSettings } from './account-callback.ts';
import type { AccountClaim } from './account-verifier.ts';

const CLAIM: AccountClaim = {
  applicationId: 'chat',
  msisdn: '491701234567',
  subscriber: 'ab'.repeat(16),
  identity: { iss: 'o', jti: '1' },
};
const RETRY_AFTER_MS = 5000;

interface Asked {
  authorization: string | undefined;
  body: { applicationId: string; msisdn: string; account: string | null };
}

let server: Server;
let asked: Asked[];
let redirected: number;
let answer: (response: ServerResponse, asked: Asked) => void;
const clock = new TestClock();

beforeEach(async () => {
  asked = [];
  redirected = 0;
  answer = (response, { body: { msisdn, account } }) => json(response, { msisdn, account: account ?? 'alice' });
  server = createServer(async (request: IncomingMessage, response) => {
    if (request.url === '/elsewhere') {
      redirected += 1;
      return json(response, { msisdn: CLAIM.msisdn, account: 'alice' });
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const one = { authorization: request.headers.authorization, body: JSON.parse(Buffer.concat(chunks).toString()) };
    asked.push(one);
    answer(response, one);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function callback(settings: Partial<AccountCallbackSettings> = {}, onFailure = (_: string) => {}): AccountCallback {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/accounts`;
  const secret = 'sponsor-secret-0123';
  return new AccountCallback(
    { url, secret, timeoutMs: 300, cacheMs: 10_000, retryAfterMs: RETRY_AFTER_MS, ...settings },
    { clock, onFailure },
  );
}

test('the account is what the sponsor answers for the proven number, asked with its secret', async () => {
  expect(await callback().verify(CLAIM)).toEqual({ account: 'alice' });
  expect(asked).toEqual([
    {
      authorization: 'Bearer sponsor-secret-0123',
      body: { applicationId: 'chat', msisdn: CLAIM.msisdn, account: null },
    },
  ]);
});

test('an account that the terminal wants is asked for, and refused where the sponsor answers none or another', async () => {
  expect(await callback().verify({ ...CLAIM, wanted: 'alice' })).toEqual({ account: 'alice' });
  expect(asked[0]?.body.account).toBe('alice');
  answer = (response, { body: { msisdn } }) => json(response, { msisdn, account: 'alice' });
  for (const wanted of ['bob', '\u0430lice']) {
    expect(await callback().verify({ ...CLAIM, wanted })).toMatchObject({ refusal: 'account_unverified' });
  }
  answer = (response, { body: { msisdn } }) => json(response, { msisdn, account: null });
  const none = await callback().verify(CLAIM);
  expect(none).toMatchObject({ refusal: 'account_unverified' });
  expect(none).not.toHaveProperty('retryAfterMs');
});

test('an answer is used again for a while, for this subscriber and this account only', async () => {
  const verifier = callback();
  for (let i = 0; i < 3; i++) await verifier.verify(CLAIM);
  expect(asked).toHaveLength(1);
  await verifier.verify({ ...CLAIM, subscriber: 'cd'.repeat(16), msisdn: '492' });
  await verifier.verify({ ...CLAIM, wanted: 'alice' });
  expect(asked).toHaveLength(3);
  clock.ms += 10_000;
  await verifier.verify(CLAIM);
  expect(asked).toHaveLength(4);
});

test('requests at the same time for the same account are one exchange', async () => {
  const verifier = callback();
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => verifier.verify(CLAIM)));
  expect(new Set(verdicts.map(({ refusal }) => refusal))).toEqual(new Set([undefined]));
  expect(asked).toHaveLength(1);
});

test.each<[string, (response: ServerResponse) => void]>([
  ['redirects', (response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
  ['redirects, and keeps the method', (response) => void response.writeHead(307, { location: '/elsewhere' }).end()],
  ['hangs', () => {}],
  ['hangs after the header', (response) => void response.writeHead(200).write('{')],
  ['answers octet by octet', (response) => void drip(response)],
  ['answers 10 MB', (response) => void response.writeHead(200).end(Buffer.alloc(10 * 2 ** 20, ' '))],
  ['breaks off', (response) => void response.socket?.destroy()],
  ['fails', (response) => json(response, { msisdn: CLAIM.msisdn, account: 'alice' }, 500)],
  ['refuses the secret', (response) => json(response, { msisdn: CLAIM.msisdn, account: 'alice' }, 401)],
  ['has no such path', (response) => json(response, { msisdn: CLAIM.msisdn, account: 'alice' }, 404)],
  ['answers for another number', (response) => json(response, { msisdn: '492', account: 'alice' })],
  ['names no number', (response) => json(response, { account: 'alice' })],
  ['names no account', (response) => json(response, { msisdn: CLAIM.msisdn })],
  ['answers a list', (response) => json(response, [{ msisdn: CLAIM.msisdn, account: 'alice' }])],
  ['answers no JSON', (response) => void response.writeHead(200).end('alice 491701234567')],
])('a sponsor that %s grants nothing, and the terminal is to ask again later', async (_, odd) => {
  answer = odd;
  const problems: string[] = [];
  const verdict = await callback({}, (problem) => void problems.push(problem)).verify(CLAIM);
  expect(verdict).toMatchObject({ refusal: 'account_unverified', retryAfterMs: RETRY_AFTER_MS });
  expect(redirected).toBe(0);
  expect(problems).toHaveLength(1);
  expect(problems.join()).not.toMatch(/alice|491701234567|sponsor-secret/);
});

test('a name without a normal form is no account', async () => {
  answer = (response, { body: { msisdn } }) => json(response, { msisdn, account: 'ali\u200bce' });
  expect(await callback().verify(CLAIM)).toMatchObject({ refusal: 'account_unverified' });
});

test('a sponsor that fails is left alone for a while, then asked by one request at a time until it answers', async () => {
  const verifier = callback({ cacheMs: 0 });
  const verifyAs = (at: number) => verifier.verify({ ...CLAIM, subscriber: String(at).padStart(32, '0') });
  answer = (response) => json(response, {}, 503);
  for (let at = 0; at < 3; at++) await verifyAs(at);
  clock.ms += 2000;
  expect(await verifyAs(3)).toMatchObject({ refusal: 'account_unverified', retryAfterMs: RETRY_AFTER_MS - 2000 });
  expect(asked).toHaveLength(3);
  clock.ms += 3000;
  await Promise.all([4, 5, 6].map(verifyAs));
  expect(asked).toHaveLength(4);
  clock.ms += RETRY_AFTER_MS;
  answer = (response, { body: { msisdn } }) => json(response, { msisdn, account: 'alice' });
  expect(await verifyAs(7)).toEqual({ account: 'alice' });
  expect(await Promise.all([8, 9].map(verifyAs))).toEqual([{ account: 'alice' }, { account: 'alice' }]);
});

test('requests that the sponsor refuses take it away from no other terminal', async () => {
  const verifier = callback();
  answer = (response) => json(response, {}, 400);
  for (let at = 0; at < 5; at++) await verifier.verify({ ...CLAIM, wanted: `x${at}` });
  answer = (response, { body: { msisdn } }) => json(response, { msisdn, account: 'alice' });
  expect(await verifier.verify(CLAIM)).toEqual({ account: 'alice' });
});

test('where nothing listens, the account is refused', async () => {
  const url = 'http://127.0.0.1:1/';
  expect(await callback({ url }).verify(CLAIM)).toMatchObject({ retryAfterMs: RETRY_AFTER_MS });
});

async function drip(response: ServerResponse): Promise<void> {
  response.writeHead(200);
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
}

test('what it remembers of a subscriber can be forgotten, also while the sponsor is asked', async () => {
  const verifier = callback();
  await verifier.verify(CLAIM);
  await verifier.verify(CLAIM);
  expect(asked).toHaveLength(1);
  verifier.forget('cd'.repeat(16));
  await verifier.verify(CLAIM);
  expect(asked).toHaveLength(1);
  verifier.forget(CLAIM.subscriber);
  const again = verifier.verify(CLAIM);
  verifier.forget(CLAIM.subscriber);
  await again;
  expect(asked).toHaveLength(2);
  await verifier.verify(CLAIM);
  expect(asked).toHaveLength(3);
});

test('an answer leaves the memory when its time is over', async () => {
  const verifier = callback({ cacheMs: 20 });
  await verifier.verify(CLAIM);
  expect(verifier.remembered).toBe(1);
  await vi.waitFor(() => expect(verifier.remembered).toBe(0));
});
