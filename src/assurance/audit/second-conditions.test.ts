import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileHours } from '../../rating/catalogue/catalogue-conditions.ts';
import { isInHours, octetsInHours, WEEKDAYS } from '../../rating/plan-hours.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { hours } from './drawn-conditions.fixture.ts';
import { partInHours } from './second-conditions.ts';

const HOUR_MS = 3_600_000;
const SEED = Number(process.env.CONDITIONS_SEED ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`drawn with CONDITIONS_SEED=${SEED}\n`);

/** Instants at which clocks change, and zones where they do. */
const CHANGES: readonly (readonly [zone: string, instant: number])[] = [
  ['Europe/Berlin', Date.UTC(2026, 2, 29, 1)],
  ['Europe/Berlin', Date.UTC(2026, 9, 25, 1)],
  ['America/St_Johns', Date.UTC(2006, 9, 29, 2, 31)], // back over midnight
  ['America/Sao_Paulo', Date.UTC(2018, 10, 4, 3)], // no midnight
  ['Australia/Lord_Howe', Date.UTC(2026, 3, 4, 15)], // half an hour
  ['Pacific/Apia', Date.UTC(2011, 11, 30, 10)], // no 30 December
  ['Asia/Kathmandu', Date.UTC(2026, 5, 1, 18, 15)],
  ['UTC', Date.UTC(2026, 0, 1)],
];
const octets = fc.oneof(fc.constantFrom(0, 1, 2, 1000, 2 ** 48 - 1), fc.nat(), fc.nat({ max: 2 ** 48 - 1 }));
const drawn = fc
  .record({
    change: fc.constantFrom(...CHANGES),
    before: fc.integer({ min: -30 * HOUR_MS, max: 30 * HOUR_MS }),
    durationMs: fc.oneof(fc.constantFrom(0, 1, 60_000), fc.nat({ max: 3 * HOUR_MS }), fc.nat({ max: 60 * HOUR_MS })),
    uplinkOctets: octets,
    downlinkOctets: octets,
    hours,
  })
  .map(({ change: [timeZone, instant], before, durationMs, hours, ...counts }) => {
    const startTime = instant + before;
    return { timeZone, hours, record: testRecord({ ...counts, startTime, endTime: startTime + durationMs }) };
  });

type Drawn = typeof drawn extends fc.Arbitrary<infer T> ? T : never;

function compiled({ timeZone, hours }: Pick<Drawn, 'timeZone' | 'hours'>) {
  const ready = compileHours({ hours } as Parameters<typeof compileHours>[0], timeZone);
  if (ready === null) throw new Error('no hours');
  return ready;
}

test('the part of a record within hours is what minute by minute on the wall clock gives, where clocks change, too', () => {
  let partly = 0;
  fc.assert(
    fc.property(drawn, (each) => {
      const { startTime, endTime, uplinkOctets, downlinkOctets } = each.record;
      const ready = compiled(each);
      const plan = { conditions: { hours: each.hours }, timeZone: each.timeZone } as Parameters<typeof partInHours>[0];
      const second = partInHours(plan, each.record);
      expect(isInHours(ready, startTime, endTime)).toBe(second !== null);
      const part = octetsInHours(ready, uplinkOctets + downlinkOctets, startTime, endTime);
      expect(BigInt(part)).toBe(second ?? 0n);
      if (part > 0 && part < uplinkOctets + downlinkOctets) partly++;
    }),
    { numRuns: 400, seed: SEED },
  );
  expect(partly).toBeGreaterThan(50);
});

test('however a week is cut into hours, their parts of a record are together its octets', () => {
  fc.assert(
    fc.property(
      drawn,
      fc.uniqueArray(fc.nat(1439), { minLength: 1, maxLength: 5 }),
      fc.subarray([...WEEKDAYS]),
      ({ timeZone, record }, cuts, days) => {
        const clock = (minute: number) => new Date(minute * 60_000).toISOString().slice(11, 16);
        const ends = cuts.sort((a, b) => a - b);
        const spans = ends.map((from, at) => ({ from: clock(from), to: clock(ends[(at + 1) % ends.length]) }));
        const rest = WEEKDAYS.filter((day) => !days.includes(day));
        const parts = spans.flatMap((span) =>
          [days, rest].filter((on) => on.length > 0).map((on) => [{ ...span, days: on }]),
        );
        const { startTime, endTime } = record;
        const whole = record.uplinkOctets + record.downlinkOctets;
        const sum = parts.reduce(
          (octets, hours) =>
            octets + BigInt(octetsInHours(compiled({ timeZone, hours } as Drawn), whole, startTime, endTime)),
          0n,
        );
        expect(sum).toBe(BigInt(whole));
      },
    ),
    { numRuns: 300, seed: SEED },
  );
});

test.each([
  ['the hour that is left out is not there', '2026-03-29T00:30:00Z', '2026-03-29T01:30:00Z', 0],
  ['the hour that is repeated is there twice', '2026-10-24T23:00:00Z', '2026-10-25T02:00:00Z', 2000],
  ['its second half hour counts as its first', '2026-10-25T01:00:00Z', '2026-10-25T03:00:00Z', 1500],
])('02:00 to 03:00 in Berlin: %s', (_, from, to, expected) => {
  const ready = compiled({ timeZone: 'Europe/Berlin', hours: [{ from: '02:00', to: '03:00' }] });
  expect(octetsInHours(ready, 3000, Date.parse(from), Date.parse(to))).toBe(expected);
});
