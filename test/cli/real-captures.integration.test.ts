import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { Zerorate } from './zerorate.fixture.ts';

/** Flow records made from packet captures of messaging applications; they are not part of the package. */
const captures = packagePath('../shared/real');
const isThere = existsSync(captures);
if (!isThere) console.warn(`${captures} is not there: the totals of the real captures are not checked`);

const BY_APPLICATION =
  'SELECT application_id AS application, count() AS records, sum(sponsored_octets) AS sponsoredOctets, ' +
  'sum(subscriber_octets) AS subscriberOctets, sum(charge_micros) AS chargeMicros FROM charges GROUP BY application ORDER BY application';

describe.runIf(isThere)('the real captures', () => {
  let zerorate: Zerorate;
  beforeAll(async () => {
    zerorate = await Zerorate.build();
  });
  afterAll(() => zerorate?.remove());

  test('give exactly the totals that were counted apart, and a second run changes nothing', async () => {
    const args = [
      'run',
      '--catalogue',
      `${captures}/catalogue.yaml`,
      '--source',
      `${captures}/flows.ndjson`,
      '--store',
      'D',
    ];
    const expected = Object.entries(JSON.parse(readFileSync(`${captures}/expected.json`, 'utf8')))
      .map(([application, totals]) => ({ application, ...(totals as object) }))
      .sort((a, b) => (a.application < b.application ? -1 : 1));
    expect(await zerorate.run(args)).toMatchObject({ code: 0 });
    expect(await zerorate.rows(BY_APPLICATION, 'D')).toEqual(expected);
    const journal = () =>
      zerorate.rows('SELECT kind, count() AS n, max(digest) AS d FROM journal GROUP BY kind ORDER BY kind', 'D');
    const before = await journal();
    expect(await zerorate.run(args)).toMatchObject({ code: 0 });
    expect(await journal()).toEqual(before);
  });

  test('uplink and downlink octets are those of the packets', async () => {
    const records = readFileSync(`${captures}/flows.ndjson`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const total = records.reduce((sum, { uplinkOctets, downlinkOctets }) => sum + uplinkOctets + downlinkOctets, 0);
    const [{ octets }] = await zerorate.rows<{ octets: number }>('SELECT sum(octets) AS octets FROM outcomes', 'D');
    expect(octets).toBe(total);
  });
});
