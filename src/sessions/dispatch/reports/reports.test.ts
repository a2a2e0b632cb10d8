import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReportOutcome, UsageReport } from '../../protocol/dispatch-messages.ts';
import { REPORT_REFUSALS } from '../../protocol/refusal.ts';
import { OPERATOR_SECRET, TestDispatch, text } from '../dispatch.fixture.ts';

let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
  await dispatch.heartbeat('edge-1');
});
afterEach(() => dispatch.remove());

const met = new Set<string>();
const SKEW_MS = 5000;

/** What becomes of each report: its outcome, or the reason of its refusal. */
async function outcomesOf(...reports: unknown[]): Promise<string[]> {
  const { outcomes, accepted, known, refused } = await dispatch.report('edge-1', ...reports);
  expect(accepted + known + refused).toBe(reports.length);
  return outcomes.map((answered: ReportOutcome) => {
    if (answered.outcome !== 'refused') return answered.outcome;
    met.add(answered.reason);
    return answered.reason;
  });
}

describe('a refused report refuses no other', () => {
  test.each<[string, (good: UsageReport) => unknown, string]>([
    ['no object', () => 'report', 'report_malformed'],
    ['null', () => null, 'report_malformed'],
    ['another field', (good) => ({ ...good, cap: 1 }), 'report_malformed'],
    ['no id', (good) => ({ ...good, reportId: undefined }), 'report_malformed'],
    ['a session id that no key can be', (good) => ({ ...good, sessionId: 'x'.repeat(5000) }), 'report_malformed'],
    [
      'another content type',
      (good) => ({ ...good, usage: [{ ...text(1), contentType: 'smell' }] }),
      'report_malformed',
    ],
    ['a content type twice', (good) => ({ ...good, usage: [text(1), text(1)] }), 'report_malformed'],
    ['negative octets', (good) => ({ ...good, usage: [text(-1)] }), 'octets_invalid'],
    ['half octets', (good) => ({ ...good, usage: [text(0.5)] }), 'octets_invalid'],
    ['octets in words', (good) => ({ ...good, usage: [{ ...text(0), downlinkOctets: '1' }] }), 'octets_invalid'],
    ['2^48 octets', (good) => ({ ...good, usage: [text(2 ** 48)] }), 'octets_invalid'],
    ['another proxy', (good) => ({ ...good, proxyId: 'edge-2' }), 'other_proxy'],
    ['another session', (good) => ({ ...good, sessionId: 'none' }), 'session_unknown'],
    [
      'content out of plan',
      (good) => ({ ...good, usage: [{ ...text(1), contentType: 'video' }] }),
      'content_not_covered',
    ],
    ['an end before its start', (good) => ({ ...good, endTimeMs: good.startTimeMs - 1 }), 'time_reversed'],
    [
      'a start before the session',
      (good) => ({ ...good, startTimeMs: good.startTimeMs - SKEW_MS - 1 }),
      'before_session',
    ],
    ['an end in the future', (good) => ({ ...good, endTimeMs: good.endTimeMs + SKEW_MS + 1 }), 'in_future'],
    ['a number that is known', (good) => ({ ...good, sequence: 1 }), 'sequence_invalid'],
    ['a number far ahead', (good) => ({ ...good, sequence: 2 ** 40 }), 'sequence_invalid'],
    ['a second start', (good) => ({ ...good, kind: 'start' }), 'sequence_invalid'],
    ['more than was granted', (good) => ({ ...good, usage: [text(2 ** 48 - 1)] }), 'cap_exceeded'],
    ['an octet more than the overshoot', (good) => ({ ...good, usage: [text(1301)] }), 'cap_exceeded'],
  ])('%s', async (_, change, reason) => {
    const { sessionId } = await dispatch.open1();
    const [first, third] = [dispatch.usage(sessionId, 1, 0), dispatch.usage(sessionId, 3, 20)];
    const odd = change(dispatch.usage(sessionId, 2, 5));
    expect(await outcomesOf(first, odd, third)).toEqual(['accepted', reason, 'accepted']);
    expect(dispatch.context.store.session(sessionId)).toMatchObject({ usedSponsoredOctets: 20 });
    // It can be sent as it should be.
    expect(await outcomesOf(dispatch.usage(sessionId, 2, 5))).toEqual(['accepted']);
  });
});

test('the same report again is a duplicate; with other content it is a conflict, and changes nothing', async () => {
  const { sessionId } = await dispatch.open1();
  const report = dispatch.usage(sessionId, 1, 10);
  const other = { ...report, usage: [text(11)] };
  expect(await outcomesOf(report, report, other)).toEqual(['accepted', 'duplicate', 'report_conflict']);
  expect(dispatch.context.store.session(sessionId)).toMatchObject({ usedSponsoredOctets: 10 });
});

test('times may be off by the tolerated skew, and octets over the cap by the tolerated overshoot', async () => {
  const { sessionId } = await dispatch.open1();
  const startTimeMs = dispatch.clock.ms - SKEW_MS;
  const endTimeMs = dispatch.clock.ms + SKEW_MS;
  expect(await outcomesOf(dispatch.usage(sessionId, 1, 1300, { startTimeMs, endTimeMs }))).toEqual(['accepted']);
});

test('after the end report a missing one is taken, and none beyond it', async () => {
  const { sessionId } = await dispatch.open1();
  const end = dispatch.usage(sessionId, 3, 5, { kind: 'end', ending: 'idle' });
  expect(await outcomesOf(end, dispatch.usage(sessionId, 1, 1))).toEqual(['accepted', 'accepted']);
  const secondEnd = dispatch.usage(sessionId, 2, 5, { kind: 'end' });
  expect(await outcomesOf(secondEnd, dispatch.usage(sessionId, 4, 7))).toEqual([
    'sequence_invalid',
    'sequence_invalid',
  ]);
  expect(await outcomesOf(dispatch.usage(sessionId, 2, 2))).toEqual(['accepted']);
  expect(dispatch.context.store.session(sessionId)).toMatchObject({ isSettled: true, usedSponsoredOctets: 8 });
});

test('a session’s cap that was lowered leaves what was used under the higher one', async () => {
  const { sessionId } = await dispatch.open1();
  await dispatch.context.store.changeSession(sessionId, (session) => ({
    ...session,
    sponsoredOctetsCap: 0,
    grantedCap: 0,
  }));
  dispatch.context.sessionLimits = { perSubscriber: 10, overshootOctets: 0 };
  expect(await outcomesOf(dispatch.usage(sessionId, 1, 300), dispatch.usage(sessionId, 2, 1))).toEqual([
    'accepted',
    'cap_exceeded',
  ]);
});

test('outcomes are counted by proxy and reason', async () => {
  const { sessionId } = await dispatch.open1();
  await outcomesOf(dispatch.usage(sessionId, 1, 1), null);
  const metrics = await dispatch.withToken('GET', '/metrics', 'operator-secret-0123456789');
  expect(metrics.body).toMatch(/reports_total\{proxy="edge-1",outcome="accepted",reason=""\} 1/);
  expect(metrics.body).toMatch(/reports_total\{proxy="edge-1",outcome="refused",reason="report_malformed"\} 1/);
});

test('every reason has been met', () => {
  expect([...met].sort()).toEqual(Object.keys(REPORT_REFUSALS).sort());
});

test('an idle session reports each interval: it is not over, and nothing of that is kept', async () => {
  const { sessionId } = await dispatch.open1();
  const kept = async () =>
    (
      await dispatch.call({ url: '/v1/usage-reports', headers: { authorization: `Bearer ${OPERATOR_SECRET}` } })
    ).body.split('\n').length;
  const before = await kept();
  for (let sequence = 1; sequence <= 50; sequence++) {
    dispatch.clock.ms += 60_000;
    const idle = dispatch.usage(sessionId, sequence, 0, { kind: 'interim', usage: [] });
    expect(await outcomesOf(idle, idle)).toEqual(['accepted', 'duplicate']);
  }
  expect(await kept()).toBe(before);
  expect(dispatch.context.store.session(sessionId)?.lastReportAtMs).toBe(dispatch.clock.ms);
  expect(await outcomesOf(dispatch.usage(sessionId, 51, 7))).toEqual(['accepted']);
  expect(await kept()).toBe(before + 1);
});
