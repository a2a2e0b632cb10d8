import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { parseCatalogue } from './catalogue-compile.ts';
import { countedPlans } from './catalogue-succession-faults.ts';

const CATALOGUE = `
sponsors:
  - { id: chatter, name: Chatter, currency: USD, creditLimit: "1000" }
applications:
  - { id: chat, sponsor: chatter, match: any, tags: [CHAT], prefixes: [] }
  - { id: call, sponsor: chatter, match: any, tags: [CALL], prefixes: [] }
plans:
  - id: chat-daily
    application: chat
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: Europe/Berlin
    content: { unknown: 10000 }
    quotaOctets: 30000
    notifyAt: []
    tiers: [{ upToOctets: null, pricePerMiB: "0.05" }]
    latePolicy: adjust
`;

const before = (() => {
  const { catalogue } = parseCatalogue(CATALOGUE, 'before.yaml');
  if (catalogue === undefined) throw new Error('the catalogue of this test is bad');
  return countedPlans(catalogue);
})();
const after = (change: (text: string) => string) => parseCatalogue(change(CATALOGUE), 'after.yaml', before);

test.each<[string, (text: string) => string]>([
  ['another price', (text) => text.replace('0.05', '0.04')],
  ['another version', (text) => text.replace('version: 1', 'version: 2')],
  ['another quota', (text) => text.replace('30000', '90000')],
  ['a plan under a new id', (text) => text.replace('chat-daily', 'chat-weekly').replace('period: day', 'period: week')],
])('a plan continues with its counters under %s', (_case, change) => {
  expect(after(change).faults).toBeUndefined();
});

test.each<[string, (text: string) => string, string]>([
  [
    'application',
    (text) => text.replace('application: chat', 'application: call'),
    'after.yaml:9: plans[0].application: call differs from chat',
  ],
  [
    'period',
    (text) => text.replace('period: day', 'period: week'),
    'after.yaml:13: plans[0].period: week differs from day',
  ],
  [
    'timeZone',
    (text) => text.replace('Europe/Berlin', 'UTC'),
    'after.yaml:14: plans[0].timeZone: UTC differs from Europe/Berlin',
  ],
])('another %s is refused, with its place', (_field, change, fault) => {
  const { faults = [] } = after(change);
  expect(faults.map(formatFault)).toEqual([
    `${fault}, which plan chat-daily has counted by until now: all versions of a plan share one counter, so give this one a new plan id`,
  ]);
});
