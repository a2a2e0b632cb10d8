import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseCatalogue } from '../../../rating/catalogue/catalogue-compile.ts';
import { CATALOGUE_TEXT, TestDispatch } from '../dispatch.fixture.ts';
import { takeUpdates } from './take-updates.ts';

/** November begins on day 20758, and the week of the 10th on day 20766. */
const MONTH_START = 20_758;
const WEEK_START = 20_766;
const QUOTAS = `
quotas:
  - id: acme-month
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    quotaOctets: 900
    plans: [chat-daily, talk-all]
  - id: acme-family
    sponsor: acme
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    per: account
    quotaOctets: 100
    plans: [chat-daily]
`;

let dispatch: TestDispatch;
beforeEach(async () => {
  const text = CATALOGUE_TEXT.replace(
    'quotaOctets: 1000',
    'windows: [{ period: week, quotaOctets: 700 }]\n    quotaOctets: 1000',
  );
  const { catalogue } = parseCatalogue(`${text}${QUOTAS}`, 'catalogue.yaml');
  dispatch = await TestDispatch.start(catalogue && { catalogue });
  dispatch.context.termsOf = () => ({ grantOctets: 2000, atCap: 'stop' });
  await dispatch.heartbeat('edge-1');
});
afterEach(() => dispatch.remove());

const take = (nextOffset: number, fields: Parameters<TestDispatch['update']>[0]) =>
  takeUpdates(dispatch.context, { partition: 0, nextOffset, updates: [dispatch.update(fields)] });

test('a session is given what the least of the quotas leaves, and the others are given less by it', async () => {
  const chat = await dispatch.open1();
  expect(chat.sponsoredOctetsCap).toBe(700);
  const talk = await dispatch.open1({ applicationId: 'talk' });
  expect(talk.sponsoredOctetsCap).toBe(200);
  const refused = (await dispatch.ask({ applicationId: 'talk', applicationAccount: 'bob' })).json();
  expect(refused).toMatchObject({ reason: 'quota_reserved' });
  // What is reported of one application is used of the quota of both.
  await dispatch.report('edge-1', dispatch.usage(chat.sessionId, 1, 300, { kind: 'end' }));
  const more = await dispatch.renew(talk);
  expect(more.json()).toMatchObject({ sponsoredOctetsCap: 600 });
});

test('what the engine says of a quota over several plans counts in all of them, and closes their sessions', async () => {
  const { sessionId } = await dispatch.open1();
  const group = { planId: 'acme-month', applicationId: '', periodStart: MONTH_START, quotaOctets: 900 };
  await take(1, { ...group, usedOctets: 850 });
  expect(dispatch.context.store.session(sessionId)).toMatchObject({ state: 'open' });
  expect((await dispatch.ask({ applicationId: 'talk' })).json()).toMatchObject({ reason: 'quota_reserved' });
  await take(2, { ...group, usedOctets: 900, version: 2 });
  expect(dispatch.context.store.session(sessionId)).toMatchObject({ state: 'revoked' });
  expect((await dispatch.ask({ applicationId: 'talk' })).json()).toMatchObject({ reason: 'quota_exhausted' });
});

test('a window that is used up closes the sessions of its plan alone, until its period is over', async () => {
  const chat = await dispatch.open1();
  const talk = await dispatch.open1({ applicationId: 'talk' });
  const window = { planId: 'chat-daily:week', periodStart: WEEK_START, quotaOctets: 700, usedOctets: 700 };
  await take(1, window);
  const states = [chat, talk].map(({ sessionId }) => dispatch.context.store.session(sessionId)?.state);
  expect(states).toEqual(['revoked', 'open']);
  expect((await dispatch.ask()).json()).toMatchObject({ reason: 'quota_exhausted' });
  const ends = [chat, talk].map(({ sessionId }) => dispatch.usage(sessionId, 1, 0, { kind: 'end' }));
  await dispatch.report('edge-1', ...ends);
  dispatch.clock.ms += 7 * 86_400_000;
  await dispatch.rotateKeys();
  await dispatch.heartbeat('edge-1');
  expect((await dispatch.ask()).statusCode).toBe(201);
});

test('a quota by account limits no session, and its updates, which are of accounts, are not kept', async () => {
  const { sessionId, sponsoredOctetsCap } = await dispatch.open1();
  expect(sponsoredOctetsCap).toBe(700);
  const family = { planId: 'acme-family:account', applicationId: '', periodStart: MONTH_START, quotaOctets: 100 };
  await take(1, { ...family, usedOctets: 100 });
  const { store } = dispatch.context;
  expect(store.session(sessionId)).toMatchObject({ state: 'open' });
  expect(store.account(dispatch.update(family).subscriber, family.planId)).toEqual([]);
  expect((await dispatch.ask({ applicationId: 'talk' })).statusCode).toBe(201);
});
