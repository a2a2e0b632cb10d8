import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FlowMeter, type FlowUsage } from './flow-meter.ts';

const CHAT = { zeroRatingTag: 'CHAT', contentType: 'image' } as const;

test('an unmarked connection’s record has no tag', () => {
  const meter = new FlowMeter();
  meter.countUplink(3, 1000);
  meter.countDownlink(4, 1010);
  expect(meter.cut(1020)).toEqual({
    startTimeMs: 1000,
    endTimeMs: 1020,
    uplinkOctets: 3,
    downlinkOctets: 4,
    zeroRatingTag: null,
    contentType: null,
  });
  expect(meter.cut(1030)).toBeNull();
});

test('the first mark is of the handshake, too', () => {
  const meter = new FlowMeter();
  meter.countUplink(200, 1);
  expect(meter.mark(CHAT, 2)).toBeNull();
  meter.countUplink(1000, 3);
  expect(meter.cut(4)).toMatchObject({ ...CHAT, startTimeMs: 1, uplinkOctets: 1200 });
});

test('a mark that says the same ends no record; one that takes the tag away does', () => {
  const meter = new FlowMeter();
  meter.mark(CHAT, 0);
  meter.countUplink(10, 1);
  expect(meter.mark({ ...CHAT }, 2)).toBeNull();
  expect(meter.mark({ ...CHAT, zeroRatingTag: null }, 3)).toMatchObject({ ...CHAT, uplinkOctets: 10 });
  meter.countDownlink(5, 4);
  expect(meter.cut(5)).toMatchObject({ zeroRatingTag: null, contentType: 'image', downlinkOctets: 5 });
});

test('a clock that was set back makes no record end before it starts', () => {
  const meter = new FlowMeter();
  meter.countUplink(1, 5000);
  expect(meter.cut(4000)).toMatchObject({ startTimeMs: 5000, endTimeMs: 5000 });
});

test('each octet is in one record, wherever the records are cut and the marks fall', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('uplink' as const), octets: fc.integer({ min: 1, max: 2 ** 40 }) }),
    fc.record({ kind: fc.constant('downlink' as const), octets: fc.integer({ min: 1, max: 2 ** 40 }) }),
    fc.record({ kind: fc.constant('cut' as const) }),
    fc.record({
      kind: fc.constant('mark' as const),
      zeroRatingTag: fc.constantFrom(null, 'CHAT', 'OTHER'),
      contentType: fc.constantFrom('text' as const, 'image' as const),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const meter = new FlowMeter();
      const usages: (FlowUsage | null)[] = [];
      const sent = { uplink: 0, downlink: 0 };
      let nowMs = 0;
      for (const step of steps) {
        nowMs++;
        if (step.kind === 'cut') usages.push(meter.cut(nowMs));
        else if (step.kind === 'mark') usages.push(meter.mark(step, nowMs));
        else {
          sent[step.kind] += step.octets;
          if (step.kind === 'uplink') meter.countUplink(step.octets, nowMs);
          else meter.countDownlink(step.octets, nowMs);
        }
      }
      usages.push(meter.cut(nowMs));
      const records = usages.filter((usage) => usage !== null);
      const sum = (octetsOf: (usage: FlowUsage) => number) =>
        records.reduce((octets, usage) => octets + octetsOf(usage), 0);
      expect(sum(({ uplinkOctets }) => uplinkOctets)).toBe(sent.uplink);
      expect(sum(({ downlinkOctets }) => downlinkOctets)).toBe(sent.downlink);
      for (const { uplinkOctets, downlinkOctets } of records) expect(uplinkOctets + downlinkOctets).toBeGreaterThan(0);
    }),
    { seed: 20_261_125 },
  );
});
