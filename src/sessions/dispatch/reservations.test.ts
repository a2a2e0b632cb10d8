import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import type { VerifiedAccount } from './accounts/account-verifier.ts';
import { isRefused } from './context.ts';
import { ISSUER, MSISDN, PROXY_IDS, TERMINAL_IP, TestDispatch } from './dispatch.fixture.ts';
import { reservedOctets, type DispatchSession as StoredSession } from './dispatch-session.ts';
import { endSession } from './end-session.ts';
import { openSession } from './open-session.ts';
import { takeUpdates } from './quota/take-updates.ts';
import { renewSession } from './renew-session.ts';
import { takeReports } from './reports/take-reports.ts';
import { sweepSessions } from './sweep-sessions.ts';

let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
  dispatch.context.termsOf = () => ({ grantOctets: 2000, atCap: 'stop' });
  await dispatch.heartbeat('edge-1');
});
afterEach(() => dispatch.remove());

describe('a terminal that asks again while its own session holds the quota', () => {
  test('gets that session, under another token and key; those of before are replaced at the proxy', async () => {
    const before = await dispatch.open1();
    expect(before.sponsoredOctetsCap).toBe(1000);
    await dispatch.report('edge-1', dispatch.usage(before.sessionId, 1, 400));
    const resumed = await dispatch.open1();
    expect(resumed).toMatchObject({ sessionId: before.sessionId, sponsoredOctetsCap: 1000, remainingOctets: 600 });
    expect(resumed.sessionKey).not.toBe(before.sessionKey);
    expect(decodeJwt(resumed.token).jti).not.toBe(decodeJwt(before.token).jti);
    expect(dispatch.proxies.last(before.sessionId)).toMatchObject({
      revision: 2,
      tokenId: resumed.tokenId,
      sessionKey: resumed.sessionKey,
    });
  });

  test.each([
    ['from another address', () => ({ remoteAddress: '127.9.0.2' }), {}],
    ['of another account', () => ({}), { account: 'bob' }],
  ])('but not %s: the quota is reserved, and it says how long', async (_, request, fields) => {
    await dispatch.open1();
    const { remoteAddress = TERMINAL_IP } = request() as { remoteAddress?: string };
    const account = { applicationId: 'chat', account: 'alice', ...fields };
    const identityAssertion = await dispatch.assertion(undefined, remoteAddress);
    const accountAssertion = await dispatch.accountAssertion(identityAssertion, account);
    const payload = { msisdn: MSISDN, identityAssertion, accountAssertion, applicationId: 'chat' };
    const response = await dispatch.call({ method: 'POST', url: '/v1/sessions', remoteAddress, payload });
    expect(response.json()).toMatchObject({ reason: 'quota_reserved', retryAfterMs: 900_000 });
  });

  test('gets what is left where its session has ended at the proxy, and soon the rest', async () => {
    dispatch.context.termsOf = () => ({ grantOctets: 900, atCap: 'stop' });
    const before = await dispatch.open1();
    dispatch.proxies.over.add(before.sessionId);
    const shrunk = await dispatch.open1();
    expect(shrunk).toMatchObject({ sponsoredOctetsCap: 100 });
    expect(shrunk.sessionId).not.toBe(before.sessionId);
    dispatch.proxies.over.add(shrunk.sessionId);
    expect((await dispatch.ask()).json()).toMatchObject({ reason: 'quota_reserved', retryAfterMs: 1000 });
    await dispatch.report('edge-1', dispatch.usage(before.sessionId, 1, 10, { kind: 'end' }));
    expect(await dispatch.open1()).toMatchObject({ sponsoredOctetsCap: 890 });
  });

  test('is not sent to a proxy that is silent, or cannot be reached', async () => {
    dispatch.context.termsOf = () => ({ grantOctets: 900, atCap: 'stop' });
    const before = await dispatch.open1();
    dispatch.clock.ms += 6001;
    await dispatch.heartbeat('edge-2');
    expect(await dispatch.open1()).toMatchObject({ proxy: { proxyId: 'edge-2' }, sponsoredOctetsCap: 100 });
    await dispatch.heartbeat('edge-1');
    dispatch.proxies.down.add('edge-1');
    const resumed = await dispatch.open1();
    expect(resumed.sessionId).not.toBe(before.sessionId);
  });

  test('is answered quota_exhausted only when the quota is used', async () => {
    const { sessionId } = await dispatch.open1();
    await dispatch.report('edge-1', dispatch.usage(sessionId, 1, 950));
    expect((await dispatch.ask()).json()).toMatchObject({ reason: 'quota_exhausted' });
  });

  test('a renewal that gets nothing because another session holds the rest says so, too', async () => {
    dispatch.context.termsOf = () => ({ grantOctets: 500, atCap: 'stop' });
    const mine = await dispatch.open1();
    await dispatch.open1({ applicationAccount: 'bob' });
    await dispatch.report('edge-1', dispatch.usage(mine.sessionId, 1, 500));
    expect((await dispatch.renew(mine)).json()).toMatchObject({ reason: 'quota_reserved' });
  });
});

type Step =
  | { kind: 'open'; account: number; address: number; grant: number }
  | { kind: 'renew' | 'use' | 'report' | 'end' | 'stop' | 'lose' | 'finish'; session: number; octets: number }
  | { kind: 'engine'; octets: number }
  | { kind: 'wait'; ms: number };

const QUOTA = 1000;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('open' as const),
      account: fc.nat(2),
      address: fc.nat(1),
      grant: fc.integer({ min: 1, max: 1500 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('renew', 'use', 'report', 'end', 'stop', 'lose', 'finish'),
      session: fc.nat(5),
      octets: fc.integer({ min: 1, max: 500 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('engine' as const), octets: fc.nat(400) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }) },
);

/** A session as its proxy has it: it uses no more than the announced cap, and reports what it has used in order. */
interface AtProxy {
  grant: SessionGrant;
  used: number;
  reported: number;
  sequence: number;
  /** No connection of it is left. */
  isFinished: boolean;
  /** Its end is reported. */
  isOver: boolean;
}

/** One subscriber's day, step by step, with what its proxies do. */
class Day {
  readonly #sessions: AtProxy[] = [];
  #grantOctets = 300;
  #version = 0;
  #engineSaw = 0;

  constructor() {
    dispatch.context.termsOf = () => ({ grantOctets: this.#grantOctets, atCap: 'stop' });
  }

  async take(each: Step): Promise<void> {
    if (each.kind === 'open') return this.#open(each);
    if (each.kind === 'engine') return this.#update(each.octets);
    if (each.kind === 'wait') return this.#wait(each.ms);
    const session = this.#sessions[each.session];
    if (session === undefined) return;
    const { sessionId } = session.grant;
    switch (each.kind) {
      case 'renew':
        return void (await renewSession(dispatch.context, sessionId));
      case 'use':
        if (!session.isFinished)
          session.used = Math.max(session.used, Math.min(this.#capOf(session), session.used + each.octets));
        return;
      case 'report':
        return this.#report(session, each.octets, 'interim');
      case 'end':
        return this.#report(session, Number.POSITIVE_INFINITY, 'end');
      case 'stop':
        await endSession(dispatch.context, sessionId, 'ended', 'terminal_left');
        return;
      case 'finish':
        // It has ended at its proxy, and the end report is on its way.
        session.isFinished = true;
        dispatch.proxies.over.add(sessionId);
        return;
      case 'lose':
        // The proxy cannot be reached for a moment.
        dispatch.proxies.down.add('edge-1');
        await renewSession(dispatch.context, sessionId);
        dispatch.proxies.down.delete('edge-1');
    }
  }

  /** Used or still to be used, by what the proxies know and by what the dispatch server reserves. */
  given(): { atProxies: number; reserved: number } {
    const known = this.#sessions.map((session) =>
      session.isFinished ? session.used : Math.max(session.used, this.#capOf(session)),
    );
    const stored = this.#sessions.map(({ grant }) => dispatch.context.store.session(grant.sessionId) as StoredSession);
    const sum = (octets: number[]) => octets.reduce((total, each) => total + each, 0);
    return {
      atProxies: sum(known),
      reserved: sum(stored.map((session) => session.usedSponsoredOctets + reservedOctets(session))),
    };
  }

  #capOf({ grant }: AtProxy): number {
    const terms = dispatch.proxies.last(grant.sessionId);
    return terms?.state === 'open' ? terms.sponsoredOctetsCap : 0;
  }

  async #open({ account, address, grant }: Extract<Step, { kind: 'open' }>): Promise<void> {
    this.#grantOctets = grant;
    const granted = await openSession(dispatch.context, {
      proof: {
        applicationId: 'chat',
        account: `account-${account}` as VerifiedAccount,
        subscriber: dispatch.update().subscriber,
        subscribersPerAccount: 1,
        identityAssertion: { issuer: ISSUER, id: randomUUID(), expiresAtMs: dispatch.clock.ms + 3_600_000 },
      },
      terminalIp: `127.9.0.${address + 1}`,
    });
    if (isRefused(granted)) {
      if (granted.refusal === 'quota_reserved') expect(granted.retryAfterMs).toBeGreaterThan(0);
      return;
    }
    const known = this.#sessions.find((session) => session.grant.sessionId === granted.sessionId);
    if (known === undefined)
      this.#sessions.push({ grant: granted, used: 0, reported: 0, sequence: 0, isFinished: false, isOver: false });
    else known.grant = granted;
  }

  async #report(session: AtProxy, octets: number, kind: 'interim' | 'end'): Promise<void> {
    if (session.isOver) return;
    const { sessionId, proxy } = session.grant;
    const more = Math.min(octets, session.used - session.reported);
    const report = dispatch.usage(sessionId, ++session.sequence, more, { kind, proxyId: proxy.proxyId });
    const { accepted } = await takeReports(dispatch.context, proxy.proxyId, [report, null, report]);
    expect(accepted).toBe(1);
    session.reported += more;
    session.isOver = kind === 'end';
    session.isFinished ||= session.isOver;
    dispatch.proxies.over.delete(sessionId);
  }

  /** It sees what was used, late. */
  async #update(octets: number): Promise<void> {
    const used = this.#sessions.reduce((total, session) => total + session.used, 0);
    this.#engineSaw = Math.min(used, this.#engineSaw + octets);
    const update = dispatch.update({ usedOctets: this.#engineSaw, version: ++this.#version });
    await takeUpdates(dispatch.context, { partition: 0, nextOffset: this.#version, updates: [update] });
  }

  async #wait(ms: number): Promise<void> {
    dispatch.clock.ms += ms;
    for (const proxyId of PROXY_IDS) await dispatch.heartbeat(proxyId);
    await sweepSessions(dispatch.context);
  }
}

test('in any order of opens, resumes, renewals, reports, updates and ends no more than the quota is given away', async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`reservations: seed ${seed}\n`);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await dispatch.remove();
      dispatch = await TestDispatch.start();
      for (const proxyId of PROXY_IDS) await dispatch.heartbeat(proxyId);
      const day = new Day();
      for (const each of steps) {
        await day.take(each);
        const { atProxies, reserved } = day.given();
        expect(atProxies).toBeLessThanOrEqual(QUOTA);
        expect(reserved).toBeLessThanOrEqual(QUOTA);
      }
    }),
    { seed, numRuns: 40 },
  );
}, 120_000);
