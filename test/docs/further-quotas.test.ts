import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parseCatalogue } from '../../src/rating/catalogue/catalogue-compile.ts';
import { decodeJson } from '../../src/rating/decode/decode-json.ts';
import { explainRecord } from '../../src/rating/explain.ts';
import { Rules } from '../../src/rating/rules.ts';
import { PseudonymKey } from '../../src/rating/subscribers.ts';
import { asValue, rateValues, testLane, testRecord } from '../../src/rating/traffic.fixture.ts';

const KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 3));
const page = readFileSync(packagePath('docs/concepts/catalogue.md'), 'utf8');
const section = page.slice(page.indexOf('## Several windows and groups'));
const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(section) ?? [];
const rows = [...section.matchAll(/^\| \w{3} (\S+) (\S+) \| (\w+) \| (\d+) \| (\d+) \| (\w+) \| (\S*) ?\|$/gm)];

test('the example of windows and groups is rated as the page says', async () => {
  const { catalogue } = parseCatalogue(yaml, 'example.yaml');
  if (catalogue === undefined) throw new Error('the catalogue of the page is bad');
  expect(rows).toHaveLength(12);
  const rules = new Rules(catalogue);
  const lane = testLane();
  for (const [sequence, [, date, time, application, octets, sponsored, reason, usedUp]] of rows.entries()) {
    const startTime = Date.parse(`${date}T${time}:00+02:00`);
    const value = asValue(
      testRecord({
        localSequenceNumber: sequence,
        startTime,
        endTime: startTime,
        remoteIp: '8.8.8.8',
        zeroRatingTag: application.toUpperCase(),
        uplinkOctets: 0,
        downlinkOctets: Number(octets),
      }),
    );
    const counterOf = async (_subscriber: string, id: string, periodStart: number) => {
      const counter = lane.counters.open(0, lane.planPeriods.numberOf(id, periodStart));
      return { usedOctets: lane.counters.usedOctets(counter), carry: 0 };
    };
    const steps = await explainRecord(value, decodeJson, rules, KEY, counterOf);
    const { rated } = rateValues([value], lane, rules);
    const place = `${date} ${time}`;
    expect([rated[0].sponsored, rated[0].reason], place).toEqual([Number(sponsored), reason]);
    const explained = steps.find(({ text }) => text.startsWith('used up: '))?.text ?? '';
    if (reason === 'quota_reached') expect(explained.split(': ')[1].split(', '), place).toContain(usedUp);
  }
});

test('the example of a quota by account is one of the catalogue above it: two SIMs share it', () => {
  const [, fragment] = /### One quota for the SIMs of an account[\s\S]*?```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const { catalogue } = parseCatalogue(yaml.slice(0, yaml.indexOf('quotas:')) + fragment, 'example.yaml');
  if (catalogue === undefined) throw new Error('the quota of the page is bad');
  const [quota] = catalogue.furtherQuotas.filter(({ per }) => per === 'account');
  const values = ['999000000001', '999000000002'].flatMap((servedMsisdn, sim) =>
    Array.from({ length: 15 }, (_, day) => {
      const startTime = Date.UTC(2026, 10, 1 + day, 12);
      const own = {
        servedMsisdn,
        accountId: 'B-20417',
        localSequenceNumber: sim * 15 + day,
        startTime,
        endTime: startTime,
      };
      const usage = { remoteIp: '8.8.8.8', zeroRatingTag: 'CHAT', uplinkOctets: 0, downlinkOctets: 200_000_000 };
      return asValue(testRecord({ ...own, ...usage }));
    }),
  );
  const { rated } = rateValues(values, testLane(), new Rules(catalogue));
  // 2 GB of each SIM by its plan, and 3 GB of both.
  const ofSims = [0, 15].map((from) => rated.slice(from, from + 15).reduce((sum, { sponsored }) => sum + sponsored, 0));
  expect(quota.id).toBe('acme-family:account');
  expect(ofSims).toEqual([2_000_000_000, quota.quotaOctets - 2_000_000_000]);
});
