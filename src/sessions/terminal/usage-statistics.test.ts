import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SessionGrant } from '../protocol/dispatch-messages.ts';
import type { OctetUse } from './octet-ledger.ts';
import { readStatistics, writeStatistics } from './statistics-file.ts';
import { periodOf, type TerminalPeriod, UsageStatistics } from './usage-statistics.ts';

const AT = Date.UTC(2026, 10, 28, 22, 30);
const grant = (sponsoredOctetsCap: number) =>
  ({ sessionId: 's', sponsoredOctetsCap, contentShares: { text: 10_000, voice: 3333 } }) as unknown as SessionGrant;
const use = (contentType: 'text' | 'voice' | 'video', octets: number, sessionId: string | null = 's'): OctetUse => ({
  kind: sessionId === null ? 'direct' : 'proxy',
  label: { sessionId, contentType },
  uplinkOctets: octets,
  downlinkOctets: 0,
});

function statistics(period: TerminalPeriod = 'day', timeZone = 'UTC') {
  return new UsageStatistics({ applicationId: 'chatter', period, timeZone });
}

test.each<[TerminalPeriod, string, string, string]>([
  ['day', 'UTC', '2026-11-28T00:00:00Z', '2026-11-29T00:00:00Z'],
  ['day', 'Asia/Tokyo', '2026-11-28T15:00:00Z', '2026-11-29T15:00:00Z'],
  ['week', 'UTC', '2026-11-23T00:00:00Z', '2026-11-30T00:00:00Z'],
  ['month', 'America/New_York', '2026-11-01T04:00:00Z', '2026-12-01T05:00:00Z'],
  [{ lengthMs: 900_000 }, 'UTC', '2026-11-28T22:30:00Z', '2026-11-28T22:45:00Z'],
])('a period of %j in %s', (period, timeZone, start, end) => {
  expect(periodOf(period, timeZone, AT)).toEqual({ periodStartMs: Date.parse(start), periodEndMs: Date.parse(end) });
});

test('octets are the sponsor’s by the share of their content type, up to the cap; the rest is the subscriber’s', () => {
  const counted = statistics();
  counted.noteGrant(grant(1000));
  counted.add(use('text', 400), AT);
  for (let octet = 0; octet < 300; octet++) counted.add(use('voice', 1), AT);
  counted.add(use('video', 50), AT);
  counted.add(use('text', 70, null), AT);
  counted.add({ kind: 'control', label: null, uplinkOctets: 5, downlinkOctets: 6 }, AT);
  const found = counted
    .rows()
    .map(({ contentType, sponsoredOctets, subscriberOctets }) => [contentType, sponsoredOctets, subscriberOctets]);
  expect(found).toEqual(
    [
      ['control', 0, 11],
      ['text', 400, 70],
      // 300 x 0.3333, whatever pieces they came in.
      ['voice', 99, 201],
      ['video', 0, 50],
    ].sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  counted.add(use('text', 600), AT);
  counted.noteGrant(grant(1100));
  counted.add(use('text', 150), AT);
  // 1000 - 499 were left, then 100 more.
  expect(counted.rows().find(({ contentType }) => contentType === 'text')).toMatchObject({
    sponsoredOctets: 400 + 501 + 100,
    subscriberOctets: 70 + 99 + 50,
  });
});

test('an octet is of the period in which it is counted, and each has rows of its own', () => {
  const counted = statistics({ lengthMs: 60_000 });
  counted.noteGrant(grant(10_000));
  counted.add(use('text', 1), AT);
  counted.add(use('text', 2), AT + 59_999);
  counted.add(use('text', 4), AT + 60_000);
  expect(counted.rows().map(({ sponsoredOctets }) => sponsoredOctets)).toEqual([3, 4]);
});

test('a file keeps them over restarts, for its owner alone; another file is refused', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'zerorate-terminal-')), 'statistics.json');
  expect(await readStatistics(file)).toEqual([]);
  const counted = statistics();
  counted.add(use('text', 7, null), AT);
  await writeStatistics(file, counted.rows());
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = new UsageStatistics({
    applicationId: 'chatter',
    period: 'day',
    timeZone: 'UTC',
    rows: await readStatistics(file),
  });
  again.add(use('text', 3, null), AT);
  expect(again.rows()).toMatchObject([{ contentType: 'text', subscriberOctets: 10 }]);
  writeFileSync(file, '{"rows": []}');
  await expect(readStatistics(file)).rejects.toThrow(/statistics\.json: is no file of a terminal's statistics/);
});
