import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MSISDN, OPERATOR_SECRET, TestDispatch } from '../dispatch.fixture.ts';
import { takeUpdates } from '../quota/take-updates.ts';
import { eraseSubscriber } from '../routes/erasure-routes.ts';

const OTHER = '491709999999';
const ACCOUNT = 'alice-in-the-application';
let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
  await dispatch.heartbeat('edge-1');
});
afterEach(() => dispatch.remove());

const pseudonymOf = (msisdn: string) => dispatch.pseudonymKey.pseudonymOf(msisdn).toString('hex');

/** Every text that leads to a subscriber, by what holds it. */
async function fill(msisdn: string, account: string): Promise<string[]> {
  const identityAssertion = await dispatch.assertion(msisdn);
  const first = await dispatch.open1({ msisdn, applicationAccount: account, identityAssertion });
  await dispatch.report('edge-1', dispatch.usage(first.sessionId, 1, 20, { kind: 'start' }));
  const last = dispatch.usage(first.sessionId, 2, 20, { kind: 'end', ending: 'terminal_left' });
  await dispatch.report('edge-1', last);
  const second = await dispatch.open1({
    msisdn,
    applicationAccount: account,
    identityAssertion: await dispatch.assertion(msisdn),
  });
  const subscriber = pseudonymOf(msisdn);
  await takeUpdates(dispatch.context, {
    partition: 0,
    nextOffset: 1,
    updates: [dispatch.update({ subscriber, usedOctets: 40, remainingOctets: 960 })],
  });
  return [
    subscriber,
    account,
    ...[first, second].flatMap(({ sessionId, sessionKey, tokenId }) => [sessionId, sessionKey, tokenId]),
    last.reportId,
  ];
}

/** What is found of the texts in the octets of every file of the store, its free pages included. */
async function tracesOf(texts: readonly string[]): Promise<string[]> {
  const names = await readdir(dispatch.directory, { recursive: true });
  const files = names
    .filter((name) => name.endsWith('.mdb'))
    .map((name) => readFileSync(join(dispatch.directory, name)));
  return texts.filter((text) => files.some((file) => file.includes(text)));
}

test('an erasure ends open sessions and leaves no octet of the subscriber in the store’s files', async () => {
  const texts = await fill(MSISDN, ACCOUNT);
  const others = await fill(OTHER, 'bob-in-the-application');
  expect(await tracesOf(texts)).toEqual(texts);

  const pseudonym = pseudonymOf(MSISDN);
  const erasure = await eraseSubscriber(dispatch.context, [pseudonym]);
  expect(erasure).toEqual({ endedSessions: 1, removedEntries: expect.any(Number) });
  expect(erasure.removedEntries).toBeGreaterThan(5);
  const announced = dispatch.proxies.announced.filter(({ announcement }) => announcement.subscriber === pseudonym);
  expect(announced.at(-1)?.announcement.state).toBe('revoked');
  expect(await tracesOf(texts)).toEqual([]);
  expect(await tracesOf(others)).toEqual(others);

  expect(await eraseSubscriber(dispatch.context, [pseudonym])).toEqual({ endedSessions: 0, removedEntries: 0 });
  await dispatch.close();
  expect(await tracesOf(texts)).toEqual([]);
  // Other subscribers lose nothing, and the store is written to as before.
  await dispatch.open();
  await dispatch.heartbeat('edge-1');
  expect(dispatch.context.store.sessionsOf(pseudonymOf(OTHER))).toHaveLength(2);
  expect(dispatch.context.store.account(pseudonymOf(OTHER), 'chat-daily')).toMatchObject([{ engineUsedOctets: 40 }]);
  await dispatch.open1();
});

test('what is written while the file is rewritten is in the new one', async () => {
  await fill(MSISDN, ACCOUNT);
  const { store } = dispatch.context;
  const erasing = store.erase([pseudonymOf(MSISDN)]);
  const writing = Array.from({ length: 50 }, (_, at) => store.transaction(() => store.putNextOffset(at, at * 2)));
  await Promise.all([erasing, ...writing, store.erase([pseudonymOf(OTHER)])]);
  expect(Array.from({ length: 50 }, (_, at) => store.nextOffset(at))).toEqual(writing.map((_, at) => at * 2));
  await dispatch.close();
  await dispatch.open();
  expect(dispatch.context.store.nextOffset(49)).toBe(98);
});

test('every database of the store is one that an erasure looks into', async () => {
  await fill(MSISDN, ACCOUNT);
  await eraseSubscriber(dispatch.context, [pseudonymOf(MSISDN)]);
  await dispatch.close();
  const root = open({ path: dispatch.directory, maxDbs: 30, readOnly: true });
  const names = [...root.getKeys()].map(String);
  await root.close();
  const kept = await import('../dispatch-store.ts').then(({ DATABASES }) => DATABASES);
  expect([...names].sort()).toEqual([...kept].sort());
  await dispatch.open();
});

test('the operator erases a subscriber of the running server by number', async () => {
  const texts = await fill(MSISDN, ACCOUNT);
  const erase = (secret: string, body: object) =>
    dispatch.call({
      method: 'POST',
      url: '/v1/subscribers/erasure',
      headers: { authorization: `Bearer ${secret}` },
      payload: body,
    });
  expect((await erase('wrong-secret-0123456789', { numbers: [MSISDN] })).statusCode).toBe(401);
  expect((await erase(OPERATOR_SECRET, { numbers: ['+49'] })).statusCode).toBe(400);
  expect(await tracesOf(texts)).toEqual(texts);
  const erased = await erase(OPERATOR_SECRET, { numbers: [MSISDN] });
  expect(erased.json()).toMatchObject({ endedSessions: 1 });
  expect(await tracesOf(texts)).toEqual([]);
});

test('what was under way when an erasure began writes nothing of the subscriber afterwards', async () => {
  const texts = await fill(MSISDN, ACCOUNT);
  const erasing = eraseSubscriber(dispatch.context, [pseudonymOf(MSISDN)]);
  const asked = dispatch.open1({
    msisdn: MSISDN,
    applicationAccount: ACCOUNT,
    identityAssertion: await dispatch.assertion(MSISDN),
  });
  await expect(asked).rejects.toThrow(/erased meanwhile/);
  await erasing;
  await takeUpdates(dispatch.context, {
    partition: 0,
    nextOffset: 2,
    updates: [dispatch.update({ subscriber: pseudonymOf(MSISDN), usedOctets: 50, remainingOctets: 950 })],
  });
  expect(await tracesOf(texts)).toEqual([]);
});
