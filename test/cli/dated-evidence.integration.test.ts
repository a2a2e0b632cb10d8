import { renameSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FlowRecord } from '../../src/rating/flow-record.ts';
import { testRecord } from '../../src/rating/traffic.fixture.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const WEEK_MS = 7 * 86_400_000;
const FIRST_MS = Date.UTC(2026, 8, 7);
const WEEKS = 10;
const STORE = ['--store', 'store'];

const iso = (week: number) => new Date(FIRST_MS + week * WEEK_MS).toISOString().replace('.000Z', 'Z');
const weekly = (write: (week: number, dates: string) => string) =>
  Array.from({ length: WEEKS }, (_, week) => write(week, `from: ${iso(week)}, to: ${iso(week + 1)}`)).join(', ');

/**
 * A list of `clips` that is published again each week: a prefix within those of `chat`, a tag, and an ASP identity that `chat` has in
 * every other week.
 */
function catalogue(lastWeeksDates = ''): string {
  const ofWeek = (parity: number) =>
    Array.from({ length: WEEKS }, (_, week) => week)
      .filter((week) => week % 2 === parity)
      .map((week) => `{ identity: shared.example, from: ${iso(week)}, to: ${iso(week + 1)} }`)
      .join(', ');
  const plan = (id: string) =>
    `  - { id: ${id}-month, application: ${id}, version: 1, effectiveFrom: ${iso(-1)}, effectiveTo: null, period: month, timeZone: UTC,
      content: { text: 10000, voice: 10000, image: 5000, video: 5000, other: 5000, unknown: 10000 }, quotaOctets: null,
      tiers: [{ upToOctets: null, pricePerMiB: "0.02" }] }`;
  return `sponsors: [{ id: acme, name: Acme, currency: EUR, creditLimit: "100000" }, { id: bolt, name: Bolt, currency: EUR, creditLimit: "100000" }]
applications:
  - id: chat
    sponsor: acme
    tags: [CHAT]
    prefixes: [198.51.100.0/24, "2001:db8::/32"]
    aspIdentities: [${ofWeek(1)}]
  - id: clips
    sponsor: bolt
    tags: [${weekly((week, dates) => `{ tag: CLIPS-${week}, ${week === WEEKS - 1 && lastWeeksDates !== '' ? lastWeeksDates : dates} }`)}]
    prefixes: [${weekly((week, dates) => `{ cidr: 198.51.100.${week * 16}/28, ${dates} }, { cidr: "2001:db8:${week}::/48", ${dates} }`)}]
    aspIdentities: [${ofWeek(0)}]
plans:
${plan('chat')}
${plan('clips')}
`;
}

/** Records a millisecond before, at and after each change, and in the middle of each week: by address, tag and identity. */
const EDGES: readonly Partial<FlowRecord>[] = Array.from({ length: WEEKS + 1 }, (_, week) => week).flatMap((week) =>
  [-1, 0, 1, WEEK_MS / 2].flatMap((later) =>
    Array.from({ length: WEEKS }, (_, list) => list).flatMap((list) => {
      const startTime = FIRST_MS + week * WEEK_MS + later;
      const none = { startTime, endTime: startTime, remoteIp: '8.8.8.8', contentType: 'text' as const };
      return [
        { ...none, remoteIp: `198.51.100.${list * 16 + 15}` },
        { ...none, remoteIp: `2001:db8:${list}:ffff::` },
        { ...none, zeroRatingTag: `CLIPS-${list}` },
        { ...none, applicationServiceProviderIdentity: 'shared.example' },
      ];
    }),
  ),
);

/** What becomes of a record by what was in force at its start. */
function expected(record: FlowRecord): string {
  const { startTime, remoteIp, zeroRatingTag, applicationServiceProviderIdentity } = record;
  const week = Math.floor((startTime - FIRST_MS) / WEEK_MS);
  const isPublished = week >= 0 && week < WEEKS;
  if (applicationServiceProviderIdentity !== null) {
    if (!isPublished) return 'unknown_identity';
    return week % 2 === 1 ? 'chat cdr' : 'clips cdr';
  }
  if (zeroRatingTag !== null) return zeroRatingTag === `CLIPS-${week}` ? 'clips tag' : 'unknown_tag';
  const isV6 = remoteIp.includes(':');
  const list = isV6 ? Number(remoteIp.split(':')[2]) : Math.floor(Number(remoteIp.split('.')[3]) / 16);
  return isPublished && list === week ? 'clips ip' : 'chat ip';
}

let zerorate: Zerorate;
beforeAll(async () => {
  zerorate = await Zerorate.build();
  writeFileSync(zerorate.path('catalogue.yaml'), catalogue());
  const lines = EDGES.map((fields, i) =>
    JSON.stringify(testRecord({ localSequenceNumber: i, nodeId: 'edges', ...fields })),
  );
  writeFileSync(zerorate.path('edges.ndjson'), `${lines.join('\n')}\n`);
  const times = ['--from', iso(0), '--to', iso(WEEKS), '--seed', '11', '--records', '4000'];
  const shares = ['--tagged', '0.25', '--ip-matched', '0.25', '--identified', '0.25', '--unmatched', '0.25'];
  await done(['generate', '--out', 'weeks.avro', '--catalogue', 'catalogue.yaml', ...times, ...shares]);
  await done(['run', '--catalogue', 'catalogue.yaml', '--source', 'edges.ndjson', ...STORE]);
  await done(['run', '--catalogue', 'catalogue.yaml', '--source', 'weeks.avro', ...STORE]);
});
afterAll(() => zerorate?.remove());

async function done(args: readonly string[]): Promise<Finished> {
  const finished = await zerorate.run(args);
  expect(finished.code, finished.stdout + finished.stderr).toBe(0);
  return finished;
}

async function expectGreen(...sources: string[]): Promise<void> {
  const from = [...sources.flatMap((source) => ['--source', source]), ...STORE];
  const audit = await done(['audit', ...from]);
  expect(audit.stdout).not.toMatch(/BROKEN|unread/);
  expect(audit.stdout).toMatch(new RegExp(`; ${sources.length} computed again from the source`));
  await done(['replay', '--verify', ...from]);
}

test('each record is classified by what was in force at its start, to the millisecond', async () => {
  const counts: Record<string, number> = {};
  for (const record of EDGES.map(testRecord)) counts[expected(record)] = (counts[expected(record)] ?? 0) + 1;
  const booked = await zerorate.rows<{ what: string; records: number }>(
    `SELECT if(evidence = '', reason, concat(application_id, ' ', evidence)) AS what, toUInt32(sum(records)) AS records FROM (
       SELECT application_id, evidence, '' AS reason, 1 AS records FROM charges WHERE topic LIKE '%edges%'
       UNION ALL SELECT '', '', reason, records FROM outcomes WHERE topic LIKE '%edges%' AND reason != 'sponsored'
     ) GROUP BY what`,
    'store',
  );
  expect(Object.fromEntries(booked.map(({ what, records }) => [what, records]))).toEqual(counts);
  expect(Object.keys(counts)).toHaveLength(7);
});

test('a generated record has evidence that was in force at its start', async () => {
  const outcomes = await zerorate.rows<{ reason: string; records: number }>(
    "SELECT reason, toUInt32(sum(records)) AS records FROM outcomes WHERE topic LIKE '%weeks%' GROUP BY reason",
    'store',
  );
  const found = new Map(outcomes.map(({ reason, records }) => [reason, records]));
  expect([...found.keys()].sort()).toEqual(['no_evidence', 'sponsored', 'unknown_tag']);
  // A quarter is drawn without evidence, and a tenth of it with a tag that no application has.
  expect(found.get('sponsored')! / 4000).toBeCloseTo(0.75, 1.5);
});

test('the audit computes the same from the source, and a replay gives the same digests', async () => {
  await expectGreen('edges.ndjson', 'weeks.avro');
});

test('explain says what decided, and what was not in force', async () => {
  const explained = async (fields: object) => {
    writeFileSync(zerorate.path('one.json'), JSON.stringify(testRecord({ zeroRatingTag: null, ...fields })));
    const { stdout } = await done(['explain', 'one.json', '--catalogue', 'catalogue.yaml']);
    return stdout
      .split('\n')
      .find((line) => line.startsWith('evidence'))
      ?.slice(13);
  };
  const startTime = FIRST_MS + 3 * WEEK_MS;
  const at = { startTime, endTime: startTime };
  expect(await explained({ ...at, remoteIp: '198.51.100.50' })).toBe(
    `no tag; 198.51.100.48/28 of clips (in force from ${iso(3)} to ${iso(4)}) holds the remote address; evidence: ip`,
  );
  expect(await explained({ ...at, remoteIp: '198.51.100.70', zeroRatingTag: 'CLIPS-4' })).toBe(
    `the tag is not in force at the record’s start: from ${iso(4)} to ${iso(5)} of clips; ` +
      `198.51.100.64/28 is not in force at the record’s start: from ${iso(4)} to ${iso(5)} of clips; ` +
      '198.51.100.0/24 of chat holds the remote address; evidence: ip',
  );
});

test('an end that is set later changes what is booked from then on, and nothing that is booked', async () => {
  writeFileSync(zerorate.path('draft.yaml'), catalogue(`from: ${iso(WEEKS - 1)}, to: ${iso(WEEKS + 5)}`));
  const { stdout } = await done(['catalogue', 'diff', 'catalogue.yaml', 'draft.yaml']);
  const dates = (to: number) => `from ${iso(WEEKS - 1)} to ${iso(to)}`;
  expect(stdout).toContain(`~1: CLIPS-${WEEKS - 1} ${dates(WEEKS)} → ${dates(WEEKS + 5)}`);
  expect(stdout).toMatch(/\n1 change for 1 sponsor\n$/);
  renameSync(zerorate.path('draft.yaml'), zerorate.path('catalogue.yaml'));
  const startTime = FIRST_MS + (WEEKS + 2) * WEEK_MS;
  const late = { startTime, endTime: startTime, remoteIp: '8.8.8.8', contentType: 'text' as const, nodeId: 'later' };
  const record = testRecord({ ...late, zeroRatingTag: `CLIPS-${WEEKS - 1}` });
  writeFileSync(zerorate.path('later.ndjson'), `${JSON.stringify(record)}\n`);
  await done(['run', '--catalogue', 'catalogue.yaml', '--source', 'later.ndjson', ...STORE]);
  const booked = await zerorate.rows("SELECT application_id, evidence FROM charges WHERE node_id = 'later'", 'store');
  expect(booked).toEqual([{ application_id: 'clips', evidence: 'tag' }]);
  await expectGreen('edges.ndjson', 'weeks.avro', 'later.ndjson');
});
