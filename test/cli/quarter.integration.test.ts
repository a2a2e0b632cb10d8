import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../../src/generator/random.ts';
import type { FlowRecord } from '../../src/rating/flow-record.ts';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const SEED = Number(process.env.QUARTER_SEED ?? 13);
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
const HOUR_MS = 3_600_000;
/** The first of June in Berlin, a Monday. */
const FIRST_MS = Date.UTC(2026, 4, 31, 22);
const WEEKS = 13;
const RECORDS_A_WEEK = 250;
/** Splits neither a week nor a month. */
const RANGE = ['--from', '2026-06-01', '--to', '2027-02-01'];
const SUBSCRIBERS = Array.from({ length: 8 }, (_, i) => `99900000100${i}`);

const iso = (week: number) => new Date(FIRST_MS + week * WEEK_MS).toISOString().replace('.000Z', 'Z');
const network = (list: number) => `198.51.100.${list * 16}/28`;
const address = (list: number) => `198.51.100.${list * 16 + 5}`;

/**
 * The catalogue of a week: what was published by then. Each week has a list, a tag and a rating group of its own, another price and share, and a
 * campaign that begins, grows and ends. `chat`'s list of the first week is missing unless it is `known`.
 */
function catalogue(week: number, known: boolean): string {
  const lists = Array.from({ length: week + 1 }, (_, list) => list).filter((list) => known || list > 0);
  const dates = (list: number) => `from: ${iso(list)}, to: ${iso(list + 1)}`;
  const prefixes = lists.map((list) => `{ cidr: ${network(list)}, ${dates(list)} }`);
  const tags = Array.from({ length: week + 1 }, (_, list) => `{ tag: CHAT-${list}, ${dates(list)} }`);
  const groups = Array.from({ length: week + 1 }, (_, list) => `{ ratingGroup: ${1000 + (list % 3)}, ${dates(list)} }`);
  const terms = (version: number, more: string) =>
    `version: ${version + 1}, effectiveFrom: ${iso(version)}, effectiveTo: ${version < week ? iso(version + 1) : 'null'}, timeZone: Europe/Berlin,
      content: { text: ${10_000 - version * 333}, video: ${5000 + version * 7}, unknown: 10000 },
      tiers: [{ upToOctets: 40000, pricePerMiB: "${100 + version}.5" }, { upToOctets: null, pricePerMiB: "${50 + version}.25" }], ${more}`;
  const versions = (id: string, more: string) =>
    Array.from({ length: week + 1 }, (_, version) => `  - { id: ${id}, ${terms(version, more)} }`).join('\n');
  return `sponsors: [{ id: acme, name: Acme, currency: EUR, creditLimit: "100000" }, { id: bolt, name: Bolt, currency: JPY, creditLimit: "100000" }]
network: { homePlmns: ["26201"] }
locations: [{ id: fair, trackingAreas: ["26201-00af"] }]
applications:
  - { id: chat, sponsor: acme, tags: [${tags.join(', ')}], prefixes: [${prefixes.join(', ')}] }
  - id: clips
    sponsor: bolt
    ratingGroups: [${groups.join(', ')}]
    prefixes: [{ cidr: 203.0.113.0/24, protocol: udp, ports: [443, 5000-5999], from: ${iso(2)} }]
plans:
  - { id: chat-promo, application: chat, order: 1, version: 1, effectiveFrom: ${iso(3)}, effectiveTo: ${iso(week < 6 ? 8 : 9)}, timeZone: Europe/Berlin,
      period: month, content: { unknown: 10000, text: 10000 }, quotaOctets: 30000, tiers: [{ upToOctets: null, pricePerMiB: "7" }],
      campaign: { payment: postpaid, audience: opted-in, caps: [{ per: whole, octets: 60000, notifyAt: [5000] }, { per: day, octets: 20000 }] } }
${versions('chat-nights', 'application: chat, order: 2, period: week, quotaOctets: null, conditions: { hours: [{ from: "22:00", to: "06:00" }] }')}
${versions('chat-base', 'application: chat, period: month, quotaOctets: 150000, windows: [{ period: day, quotaOctets: 12000 }]')}
${versions('clips-fair', 'application: clips, order: 1, period: day, quotaOctets: 9000, conditions: { locations: [fair] }')}
${versions('clips-home', 'application: clips, period: week, quotaOctets: 60000, conditions: { roaming: home }')}
quotas:
  - { id: acme-week, sponsor: acme, version: 1, effectiveFrom: ${iso(0)}, effectiveTo: null, period: week, timeZone: Europe/Berlin, quotaOctets: 45000,
      plans: [chat-nights, chat-base] }
`;
}

/** What a week's traffic is made of: addresses of this week and of others, tags, rating groups, places, and hours over a border. */
function traffic(week: number): FlowRecord[] {
  const random = new Random(SEED * 1000 + week);
  const records = Array.from({ length: RECORDS_A_WEEK }, (_, at) => {
    const list = Math.max(0, Math.min(WEEKS - 1, week + random.pick([0, 0, 0, -1, 1])));
    const ways: Partial<FlowRecord>[] = [
      { remoteIp: address(list) },
      { remoteIp: address(week) },
      { remoteIp: '8.8.8.8', zeroRatingTag: `CHAT-${list}` },
      { remoteIp: '8.8.8.8', ratingGroup: 1000 + random.integer(0, 3) },
      { remoteIp: '203.0.113.9', protocol: random.pick([6, 17]), remotePort: random.pick([443, 5500, 80]) },
      { remoteIp: '8.8.8.8' },
    ];
    const startTime = FIRST_MS + week * WEEK_MS + random.integer(0, WEEK_MS - 1);
    return testRecord({
      ...random.pick(ways),
      nodeId: `gw-${week}`,
      localSequenceNumber: at,
      servedMsisdn: random.pick(SUBSCRIBERS),
      startTime,
      endTime: startTime + random.pick([0, 1000, HOUR_MS, 3 * HOUR_MS]),
      contentType: random.pick(['text', 'video', 'voice', null]),
      servingPlmn: random.pick(['26201', '26201', '26201', '310410', null]),
      trackingArea: random.pick(['26201-00af', '26201-00b0', null]),
      uplinkOctets: random.integer(0, 900),
      downlinkOctets: random.integer(0, 9000),
    });
  });
  // Some are repeated as they are.
  return records.map((record, at) => (at % 41 === 40 ? records[at - 1] : record));
}

/** What is done about the campaign before a week's traffic. */
const COMMANDS: Record<number, readonly string[]> = {
  3: ['opt-in', 'chat-promo', ...SUBSCRIBERS.slice(0, 3), '--why', 'first'],
  4: ['audience', 'chat-promo', 'audience.txt', '--why', 'a list'],
  5: ['pause', 'chat-promo', '--key', 'pause', '--why', 'under review'],
  6: ['resume', 'chat-promo', '--key', 'resume', '--why', 'reviewed'],
  7: ['opt-out', 'chat-promo', SUBSCRIBERS[4], '--why', 'asked to leave'],
};

let zerorate: Zerorate;
const files = Array.from({ length: WEEKS }, (_, week) => `week-${String(week).padStart(2, '0')}.ndjson`);
const sources = files.flatMap((file) => ['--source', file]);

beforeAll(async () => {
  console.log(`seed ${SEED}`);
  zerorate = await Zerorate.build();
  writeFileSync(zerorate.path('audience.txt'), SUBSCRIBERS.slice(2, 6).join('\n'));
  files.forEach((file, week) => {
    writeFileSync(
      zerorate.path(file),
      `${traffic(week)
        .map((record) => JSON.stringify(record))
        .join('\n')}\n`,
    );
  });
  await Promise.all([bookQuarter('missed', false), bookQuarter('knew', true)]);
}, 900_000);
afterAll(() => zerorate?.remove());

/** Books the quarter week by week, each with the catalogue of that week. */
async function bookQuarter(store: string, known: boolean): Promise<void> {
  for (const [week, file] of files.entries()) {
    const draft = `${store}.yaml`;
    writeFileSync(zerorate.path(draft), catalogue(week, known));
    const at = ['--catalogue', draft, '--store', store];
    if (COMMANDS[week] !== undefined) await done(['campaign', ...COMMANDS[week], ...at]);
    await done(['run', '--source', file, ...at]);
    if (week >= 3) await done(['campaign', 'watch', '--once', ...at]);
  }
}

async function done(args: readonly string[]): Promise<Finished> {
  const finished = await zerorate.run(args);
  expect(finished.code, `${args.join(' ')}\n${finished.stdout}${finished.stderr}`).toBe(0);
  return finished;
}

async function expectGreen(store: string): Promise<void> {
  const audit = await done(['audit', ...sources, '--store', store]);
  expect(audit.stdout).not.toMatch(/BROKEN|unread/);
  expect(audit.stdout).toMatch(new RegExp(`; ${WEEKS} computed again from the source`));
  await done(['replay', '--verify', ...sources, '--store', store]);
}

/** What is owed for each record, by its place in its file. */
const owed = (store: string) =>
  zerorate.rows<Record<string, unknown>>(
    `SELECT topic, offset, toString(application_id) AS application, toString(plan_id) AS plan, plan_version AS version, toString(period_start) AS period,
       toInt64(sum(sponsored_octets)) AS sponsored, toInt64(sum(subscriber_octets)) AS own, sum(charge_micros) AS micros
     FROM bookings GROUP BY ALL HAVING sum(if(origin = 'reversal', -1, 1)) != 0 ORDER BY ALL`,
    store,
  );

test('the quarter has every kind of outcome, and a second computation from the records gives the same', async () => {
  const reasons = await zerorate.rows<{ reason: string }>(
    'SELECT DISTINCT reason FROM outcomes ORDER BY reason',
    'missed',
  );
  const found = new Set(reasons.map(({ reason }) => reason));
  const expected = [
    'sponsored',
    'quota_reached',
    'quota_exhausted',
    'partly_in_hours',
    'conditions_not_met',
    'no_evidence',
    'unknown_tag',
    'duplicate',
  ];
  expect(expected.filter((reason) => !found.has(reason))).toEqual([]);
  const plans = await zerorate.rows<{ plan: string }>(
    'SELECT DISTINCT toString(plan_id) AS plan FROM charges ORDER BY plan',
    'missed',
  );
  expect(plans.map(({ plan }) => plan)).toEqual(['chat-base', 'chat-nights', 'chat-promo', 'clips-fair', 'clips-home']);
  const facts = await zerorate.rows<{ kind: string }>(
    'SELECT DISTINCT toString(kind) AS kind FROM campaign_facts',
    'missed',
  );
  expect(facts.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['pause', 'resume', 'threshold_reached', 'cap_reached']),
  );
  await expectGreen('missed');
  await expectGreen('knew');
}, 300_000);

test('what was missed in the first week is booked to the micro-unit of a run that had known', async () => {
  expect(await owed('missed')).not.toEqual(await owed('knew'));
  writeFileSync(zerorate.path('right.yaml'), catalogue(WEEKS - 1, true));
  const rerate = [
    'rerate',
    '--sponsor',
    'acme',
    '--catalogue',
    'right.yaml',
    ...RANGE,
    ...sources,
    '--store',
    'missed',
  ];
  await done([...rerate, '--book', '--name', 'week-one', '--who', 'ada', '--why', 'the list of the first week']);
  expect(await owed('missed')).toEqual(await owed('knew'));
  await expectGreen('missed');
}, 300_000);

test('corrections with campaigns, hours, windows and groups, from rows and from the source, equal a second computation', async () => {
  const right = catalogue(WEEKS - 1, true);
  writeFileSync(zerorate.path('dearer.yaml'), right.replaceAll('.5"', '.9"').replace('"7"', '"9"'));
  const why = ['--who', 'ada', '--why', 'other prices'];
  const correct = (sponsor: string, draft: string, name: string, from: readonly string[]) =>
    done([
      ...['rerate', '--sponsor', sponsor, '--catalogue', draft, ...RANGE, ...from, '--store', 'missed'],
      ...['--book', '--name', name, ...why],
    ]);
  await correct('acme', 'dearer.yaml', 'rows', []);
  await correct('bolt', 'dearer.yaml', 'source', sources);
  await correct('acme', 'right.yaml', 'back', sources);
  const audit = await done(['audit', ...sources, '--store', 'missed']);
  expect(audit.stdout).toMatch(/^holds {3}corrected_charges /m);
  expect(audit.stdout).toMatch(/^4 corrections computed again: [\d ]+ records rated$/m);
  expect(await owed('missed')).not.toEqual(await owed('knew'));
  await correct('bolt', 'right.yaml', 'source back', sources);
  expect(await owed('missed')).toEqual(await owed('knew'));
  await expectGreen('missed');
}, 300_000);
