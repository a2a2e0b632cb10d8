import { expect, test } from 'vitest';
import type { Application } from '../../../rating/catalogue.ts';
import { atCapFaults } from './at-cap-faults.ts';

const application = (id: string, match: Application['match']): Application => ({
  id,
  match,
  sponsor: 0,
  tags: [],
  prefixes: [],
  aspIdentities: [],
  sponsorIdentities: [],
  services: [],
  detections: [],
  plans: [],
});
const catalogue = { applications: [application('chat', 'tag'), application('board', 'ip')] };
const sessions = (atCap: 'stop' | 'subscriber_pays') => ({
  ...{ grantOctets: 1, atCap, tokenLifetimeMs: 60_000, idleTimeoutMs: 1000, releaseDelayMs: 0 },
  ...{ maxPerSubscriber: 8, overshootOctets: 0 },
});

test('an application that its proxy’s address identifies stops at the cap', () => {
  expect(atCapFaults({ applications: {}, sessions: sessions('stop') }, catalogue)).toEqual([]);
  expect(
    atCapFaults({ applications: { chat: { atCap: 'subscriber_pays' } }, sessions: sessions('stop') }, catalogue),
  ).toEqual([]);
  expect(
    atCapFaults({ applications: { board: { atCap: 'subscriber_pays' } }, sessions: sessions('stop') }, catalogue),
  ).toEqual([expect.stringMatching(/^applications\.board\.atCap: .*set applications\.board\.atCap: stop$/)]);
  expect(atCapFaults({ applications: {}, sessions: sessions('subscriber_pays') }, catalogue)).toEqual([
    expect.stringMatching(/^sessions\.atCap: .*board is identified/),
  ]);
  expect(
    atCapFaults({ applications: { board: { atCap: 'stop' } }, sessions: sessions('subscriber_pays') }, catalogue),
  ).toEqual([]);
});
