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
