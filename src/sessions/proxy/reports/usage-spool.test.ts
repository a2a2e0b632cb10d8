import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sponsoredOctetsOf } from '../../protocol/content-octets.ts';
import { COUNTERS, contentOctetsOf, octetsUpTo } from './usage-counters.ts';
import { MAX_ID_LENGTH, UsageSpool, usageReportOf } from './usage-spool.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-spool-'));
  path = join(directory, 'usage.spool');
});
afterEach(() => rmSync(directory, { recursive: true }));

test('what a process has counted is there for the next one, in the order of sequences', async () => {
  const first = new UsageSpool(path);
  expect(first.start()).toEqual([]);
  const [later, earlier] = [first.begin('session', 2, 100), first.begin('session', 1, 50)];
  first.seal(earlier, { kind: 'start', endTimeMs: 60 });
  later.counters[4] += 700;
  first.count(later, 120);
  // Nothing is closed: the process has been killed.
  const second = new UsageSpool(path);
  const left = second.start();
  expect(left.map(({ label }) => [label.sequence, label.kind])).toEqual([
    [1, 'start'],
    [2, undefined],
  ]);
  second.seal(left[1], { kind: 'end', endTimeMs: 120, ending: 'proxy_stopped' });
  expect(usageReportOf(left[1], 'proxy-1')).toMatchObject({
    reportId: later.label.reportId,
    usage: [{ contentType: 'image', uplinkOctets: 700, downlinkOctets: 0 }],
    ending: 'proxy_stopped',
  });
  for (const report of left) second.remove(report);
  expect(new UsageSpool(path).start()).toEqual([]);
  await Promise.all([second.sync(), second.sync(), second.stop(), first.stop()]);
});

test('slots are used again: the file is as large as the most reports at once', () => {
  const spool = new UsageSpool(path);
  spool.start();
  const slots = new Set<number>();
  for (let round = 0; round < 100; round++) {
    const report = spool.begin('session', round + 1, 0);
    slots.add(report.slot);
    spool.remove(report);
  }
  expect(slots.size).toBe(1);
});

test('ids of the longest length fit, whatever they are made of', () => {
  const spool = new UsageSpool(path);
  spool.start();
  const report = spool.begin('\u0000'.repeat(MAX_ID_LENGTH), 2 ** 40, 2 ** 52);
  spool.seal(report, { kind: 'interim', endTimeMs: 2 ** 52, ending: 'proxy_stopped' });
  expect(new UsageSpool(path).start()).toHaveLength(1);
});

test('a file that holds something else is refused', () => {
  appendFileSync(path, Buffer.alloc(3000, 'x'));
  expect(() => new UsageSpool(path).start()).toThrow(/slot 0 .* holds no report/);
});

test('so many octets pass up to a limit, and with one more it would be passed', () => {
  const counters = fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { minLength: COUNTERS, maxLength: COUNTERS });
  const share = fc.integer({ min: 100, max: 10_000 });
  fc.assert(
    fc.property(counters, share, fc.integer({ min: 0, max: 2 ** 36 }), (values, image, limit) => {
      const used = Float64Array.from(values);
      const shares = { text: 10_000, image, video: 3333 };
      const octets = octetsUpTo(limit, used, 2, shares);
      const sponsored = (more: number) => {
        const after = used.slice();
        after[4] += more;
        return sponsoredOctetsOf(contentOctetsOf(after), shares);
      };
      if (octets > 0) expect(sponsored(octets)).toBe(limit);
      if (sponsored(0) <= limit) expect(sponsored(octets + 1)).toBeGreaterThan(limit);
      else expect(octets).toBe(0);
    }),
  );
});
