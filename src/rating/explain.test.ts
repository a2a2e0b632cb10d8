import { expect, test } from 'vitest';
import { parseCatalogue } from './catalogue/catalogue-compile.ts';
import { decodeJson } from './decode/decode-json.ts';
import { explainRecord } from './explain.ts';
import { NO_FACTS, Rules } from './rules.ts';
import { PseudonymKey } from './subscribers.ts';

const { catalogue } = parseCatalogue(
  `
sponsors: [{ id: chatter, name: Chatter, currency: USD, creditLimit: "10" }]
applications:
  - { id: chat, sponsor: chatter, match: any, tags: [CHAT], prefixes: [198.51.100.0/24] }
  - { id: call, sponsor: chatter, match: any, tags: [CALL], prefixes: [198.51.100.128/25], aspIdentities: [call.example] }
plans:
  - id: chat-daily
    application: chat
    version: 3
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: Asia/Tokyo
    content: { video: 5000 }
    quotaOctets: 1000
    tiers: [{ upToOctets: null, pricePerMiB: "1048.576" }]
    latePolicy: refuse
`,
  'catalogue.yaml',
);
const record = {
  nodeId: 'gw',
  localSequenceNumber: 1,
  chargingId: 1,
  recordSequenceNumber: 1,
  servedMsisdn: '999000000001',
  startTime: Date.UTC(2026, 10, 23, 20),
  endTime: Date.UTC(2026, 10, 23, 21),
  terminalIp: '10.0.0.1',
  terminalPort: 1,
  remoteIp: '198.51.100.7',
  remotePort: 443,
  protocol: 6,
  contentType: 'video',
  uplinkOctets: 100,
  downlinkOctets: 901,
};

async function explain(overrides: object, before = { usedOctets: 0, carry: 0 }, facts = NO_FACTS, of = catalogue) {
  if (of === undefined) throw new Error('the catalogue is bad');
  const value = Buffer.from(JSON.stringify({ ...record, ...overrides }));
  const steps = await explainRecord(
    value,
    decodeJson,
    new Rules(of, facts),
    PseudonymKey.ofRoot(Buffer.alloc(32)),
    async () => before,
  );
  return Object.fromEntries(steps.map(({ step, text }) => [step, text]));
}

test('a charged record: every step, with the figures that it met', async () => {
  expect(await explain({}, { usedOctets: 700, carry: 1 })).toMatchObject({
    evidence: 'no tag; 198.51.100.0/24 of chat holds the remote address; evidence: ip',
    application: 'chat of sponsor chatter, match policy any',
    plan: 'chat-daily version 3: a day in Asia/Tokyo',
    content: 'video: 50 % is sponsored, carry 1',
    quota: 'a quota of 1000; 700 octets used since 2026-11-24, 1000 after this record',
    price: '300 octets sponsored for 0.3 USD; 701 are the subscriber’s',
    outcome: expect.stringMatching(/^charged: quota_reached \(/),
  });
});

test.each([
  [{ applicationServiceProviderIdentity: 'call.example' }, 'the identities of call'],
  [{ sponsorIdentity: 'unknown.example' }, 'identities that no application claims'],
])('identities of a CDR: %o', async (identities, shown) => {
  const { evidence } = await explain({ remoteIp: '::1', ...identities });
  expect(evidence).toMatch(new RegExp(`^no tag; ${shown}; no prefix holds the remote address; evidence: (cdr|none)$`));
});

test.each<[string, object, RegExp]>([
  ['the longest prefix', { remoteIp: '198.51.100.200' }, /^not_sponsored: no_plan/],
  ['a conflict of evidence', { zeroRatingTag: 'CALL' }, /^not_sponsored: evidence_conflict/],
  ['a conflict with an identity', { applicationServiceProviderIdentity: 'call.example' }, /: evidence_conflict/],
  ['an identity that is not claimed', { remoteIp: '::1', sponsorIdentity: 'x' }, /^not_sponsored: unknown_identity/],
  ['content that is not covered', { contentType: 'text' }, /^not_sponsored: content_not_covered/],
  ['a record that is none', { uplinkOctets: -1 }, /^rejected: negative_octets/],
])('%s ends where the engine would end it', async (_, overrides, outcome) => {
  expect((await explain(overrides)).outcome).toMatch(outcome);
});

const MARCH = '2026-03-01T00:00:00Z';
const JUNE = '2026-06-01T00:00:00Z';
const { catalogue: dated } = parseCatalogue(
  `
sponsors: [{ id: s, name: S, currency: USD, creditLimit: "10" }, { id: t, name: T, currency: USD, creditLimit: "10" }]
applications:
  - id: chat
    sponsor: s
    tags: [{ tag: CHAT, to: ${MARCH} }, { tag: CHAT, from: ${JUNE} }]
    prefixes: [198.51.100.0/24, { cidr: 192.0.2.0/24, from: ${MARCH} }]
    aspIdentities: [{ identity: chat.example, from: ${JUNE} }]
  - id: call
    sponsor: t
    tags: [{ tag: CHAT, from: ${MARCH}, to: 2026-04-01T00:00:00Z }]
    prefixes: [{ cidr: 198.51.100.128/25, from: ${MARCH}, to: ${JUNE} }]
    sponsorIdentities: [{ identity: call.pays, from: ${MARCH}, to: ${JUNE} }]
plans: []
`,
  'catalogue.yaml',
);

test.each<[string, string, object, string]>([
  [
    'the tag and its span',
    '2026-03-15T00:00:00Z',
    { zeroRatingTag: 'CHAT' },
    `the tag of call (in force from ${MARCH} to 2026-04-01T00:00:00Z); no prefix holds the remote address; evidence: tag`,
  ],
  [
    'a tag without a beginning',
    '2026-02-28T23:59:59.999Z',
    { zeroRatingTag: 'CHAT' },
    `the tag of chat (in force to ${MARCH}); no prefix holds the remote address; evidence: tag`,
  ],
  [
    'a tag between two claims of it',
    '2026-04-01T00:00:00Z',
    { zeroRatingTag: 'CHAT' },
    `the tag is not in force at the record’s start: from ${MARCH} to 2026-04-01T00:00:00Z of call, from ${JUNE} on of chat; no prefix holds the remote address; evidence: none`,
  ],
  [
    'the longer prefix and its span',
    '2026-05-31T23:59:59.999Z',
    { remoteIp: '198.51.100.200' },
    `no tag; 198.51.100.128/25 of call (in force from ${MARCH} to ${JUNE}) holds the remote address; evidence: ip`,
  ],
  [
    'the shorter prefix, as the longer is over',
    JUNE,
    { remoteIp: '198.51.100.200' },
    `no tag; 198.51.100.128/25 is not in force at the record’s start: from ${MARCH} to ${JUNE} of call; 198.51.100.0/24 of chat holds the remote address; evidence: ip`,
  ],
  [
    'no prefix, as the only one has not begun',
    '2026-02-01T00:00:00Z',
    { remoteIp: '192.0.2.1' },
    `no tag; 192.0.2.0/24 is not in force at the record’s start: from ${MARCH} on of chat; no prefix in force holds the remote address; evidence: none`,
  ],
  [
    'the sponsor identity, as the ASP identity has not begun',
    '2026-03-15T00:00:00Z',
    { applicationServiceProviderIdentity: 'chat.example', sponsorIdentity: 'call.pays' },
    `no tag; the identities of call (in force from ${MARCH} to ${JUNE}); the ASP identity is not in force at the record’s start: from ${JUNE} on of chat; no prefix holds the remote address; evidence: cdr`,
  ],
  [
    'no identity in force',
    '2026-02-01T00:00:00Z',
    { sponsorIdentity: 'call.pays' },
    `no tag; the sponsor identity is not in force at the record’s start: from ${MARCH} to ${JUNE} of call; no prefix holds the remote address; evidence: none`,
  ],
])('evidence with dates: %s', async (_, start, overrides, text) => {
  const times = { startTime: Date.parse(start), endTime: Date.parse(start) };
  const { evidence } = await explain({ ...times, remoteIp: '8.8.8.8', ...overrides }, undefined, undefined, dated);
  expect(evidence).toBe(text);
});

const { catalogue: byPorts } = parseCatalogue(
  `
sponsors: [{ id: s, name: S, currency: USD, creditLimit: "10" }]
applications:
  - { id: chat, sponsor: s, prefixes: [{ cidr: 198.51.100.0/24, protocol: udp, ports: [443, 5000-5100], from: ${MARCH} }] }
  - { id: call, sponsor: s, prefixes: [{ cidr: 198.51.100.0/24, protocol: tcp }, { cidr: 198.51.0.0/16, protocol: 99 }] }
plans: []
`,
  'catalogue.yaml',
);

test.each<[object, string]>([
  [
    { protocol: 17, remotePort: 443 },
    `no tag; 198.51.100.0/24 of chat (udp ports 443, 5000-5100) (in force from ${MARCH} on) holds the remote address; evidence: ip`,
  ],
  [{ protocol: 6 }, 'no tag; 198.51.100.0/24 of call (tcp) holds the remote address; evidence: ip'],
  [
    { protocol: 17, remotePort: 444 },
    'no tag; 198.51.100.0/24 is for udp ports 443, 5000-5100 of chat, tcp of call, and the record is udp, remote port 444; 198.51.0.0/16 is for protocol 99 of call, and the record is udp, remote port 444; no prefix in force holds the remote address; evidence: none',
  ],
  [
    { protocol: 99, remotePort: 0 },
    'no tag; 198.51.100.0/24 is for udp ports 443, 5000-5100 of chat, tcp of call, and the record is protocol 99, remote port 0; 198.51.0.0/16 of call (protocol 99) holds the remote address; evidence: ip',
  ],
])('a prefix with a protocol and ports: %o', async (overrides, text) => {
  const fields = { startTime: Date.parse(JUNE), endTime: Date.parse(JUNE), ...overrides };
  expect((await explain(fields, undefined, undefined, byPorts)).evidence).toBe(text);
});

const { catalogue: byServices } = parseCatalogue(
  `
sponsors: [{ id: s, name: S, currency: USD, creditLimit: "10" }]
applications:
  - { id: chat, sponsor: s, ratingGroups: [1001], aspIdentities: [chat.example] }
  - { id: call, sponsor: s, ratingGroups: [{ ratingGroup: 1001, serviceIdentifier: 7, from: ${MARCH} }] }
plans: []
`,
  'catalogue.yaml',
);

test.each<[object, string]>([
  [{ ratingGroup: 1001 }, 'no tag; rating group 1001 of chat; no prefix holds the remote address; evidence: cdr'],
  [
    { ratingGroup: 1001, serviceIdentifier: 7 },
    `no tag; service identifier 7 of rating group 1001 of call (in force from ${MARCH} on); no prefix holds the remote address; evidence: cdr`,
  ],
  [
    { ratingGroup: 1001, serviceIdentifier: 7, startTime: 1_770_000_000_000 },
    `no tag; service identifier 7 of rating group 1001 is not in force at the record’s start: from ${MARCH} on of call; rating group 1001 of chat; no prefix holds the remote address; evidence: cdr`,
  ],
  [{ ratingGroup: 2 }, 'no tag; no prefix holds the remote address; evidence: none'],
  [
    { ratingGroup: 1001, serviceIdentifier: 7, applicationServiceProviderIdentity: 'chat.example' },
    `no tag; the identities of chat, which the rating group or service identifier is not; service identifier 7 of rating group 1001 of call (in force from ${MARCH} on); no prefix holds the remote address; evidence: none`,
  ],
])('a rating group and a service identifier: %o', async (overrides, text) => {
  const { evidence } = await explain({ remoteIp: '8.8.8.8', ...overrides }, undefined, undefined, byServices);
  expect(evidence).toBe(text);
});

const { catalogue: detected } = parseCatalogue(
  `
sponsors: [{ id: s, name: S, currency: USD, creditLimit: "10" }]
applications:
  - { id: chat, sponsor: s, prefixes: [198.51.100.0/24], detectedNames: [chat, { name: by-name, by: [sni], from: ${JUNE} }] }
plans: []
`,
  'catalogue.yaml',
);

test.each<[object, string]>([
  [{ detectedApplication: 'chat' }, 'the gateway detected "chat", of chat; evidence: none'],
  [
    { detectedApplication: 'by-name', detectedBy: 'sni' },
    'the gateway detected "by-name" by sni, of chat; evidence: none',
  ],
  [
    { detectedApplication: 'by-name', detectedBy: 'sni', startTime: Date.parse(MARCH) },
    `the gateway detected "by-name" by sni, which is not in force at the record’s start: from ${JUNE} on of chat; evidence: none`,
  ],
  [
    { detectedApplication: 'by-name', detectedBy: 'dpi' },
    'the gateway detected "by-name" by dpi, which chat does not take so; evidence: none',
  ],
  [{ detectedApplication: 'x' }, 'the gateway detected "x", which no application claims; evidence: none'],
])('what the gateway detected: %o', async (overrides, text) => {
  const { evidence } = await explain({ remoteIp: '8.8.8.8', ...overrides }, undefined, undefined, detected);
  expect(evidence).toBe(`no tag; no prefix holds the remote address; ${text}`);
});

test('a record of a month that is closed: which days are', async () => {
  const last = { month: Date.UTC(2026, 10) / 86_400_000, endedByMs: Number.POSITIVE_INFINITY };
  const closings = { lastClosed: new Map([['chatter', last]]), number: 1 };
  const steps = await explain({}, { usedOctets: 0, carry: 0 }, { ...NO_FACTS, closings });
  expect(steps).toMatchObject({
    plan: 'chat-daily version 3: a day in Asia/Tokyo',
    closing: 'the period began on 2026-11-24, and what began before 2026-12-01 is closed',
    outcome: expect.stringMatching(/^rejected: period_closed \(/),
  });
  expect(steps).not.toHaveProperty('quota');
});

test('no step shows the MSISDN', async () => {
  expect(Object.values(await explain({})).join('\n')).not.toContain(record.servedMsisdn);
});

test('a campaign: payment, audience and caps, and whether the subscriber is in the audience', async () => {
  const document = JSON.parse(catalogue?.canonicalJson ?? '');
  document.plans[0].campaign = {
    payment: 'postpaid',
    audience: 'opted-in',
    caps: [
      { per: 'day', octets: 1000 },
      { per: 'whole', money: '2.5' },
    ],
  };
  const { catalogue: of } = parseCatalogue(JSON.stringify(document), 'c.yaml');
  const facts = { ...NO_FACTS, campaigns: { states: new Map(), number: 7 } };
  const { campaign, outcome } = await explain({}, undefined, facts, of);
  expect(campaign).toBe(
    'postpaid; for subscribers who opted in: this one has not; caps: 1000 octets per day, 2.50 USD in the whole campaign; facts up to number 7',
  );
  expect(outcome).toMatch(/^not_sponsored: not_in_audience/);
  expect((await explain({})).campaign).toBeUndefined();
});

test('further quotas: what each of them has left, and which are used up', async () => {
  const { catalogue: further } = parseCatalogue(
    `
sponsors: [{ id: chatter, name: Chatter, currency: USD, creditLimit: "10" }]
applications: [{ id: chat, sponsor: chatter, prefixes: [198.51.100.0/24] }]
plans:
  - id: chat-month
    application: chat
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: Asia/Tokyo
    content: { video: 5000 }
    quotaOctets: 20000
    windows: [{ period: day, quotaOctets: 300 }]
    tiers: [{ upToOctets: null, pricePerMiB: "1048.576" }]
quotas:
  - id: chatter-week
    sponsor: chatter
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: week
    timeZone: UTC
    quotaOctets: 9000
    plans: [chat-month]
`,
    'catalogue.yaml',
  );
  if (further === undefined) throw new Error('the catalogue is bad');
  const used = { 'chat-month': 1000, 'chat-month:day': 100, 'chatter-week': 500 };
  const steps = await explainRecord(
    Buffer.from(JSON.stringify(record)),
    decodeJson,
    new Rules(further),
    PseudonymKey.ofRoot(Buffer.alloc(32)),
    async (_subscriber, id) => ({ usedOctets: used[id as keyof typeof used], carry: 0 }),
  );
  expect(steps.filter(({ step }) => step === 'quota').map(({ text }) => text)).toEqual([
    'a quota of 20000; 1000 octets used since 2026-11-01, 1200 after this record',
    'chat-month:day: a quota of 300; 100 octets used since 2026-11-24, 300 after this record',
    'chatter-week: a quota of 9000; 500 octets used since 2026-11-23, 700 after this record',
    'used up: chat-month:day',
  ]);
  expect(steps.at(-1)?.text).toContain('quota_reached');
});
