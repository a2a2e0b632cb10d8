import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPEN_STORE, type OpenedStore } from '../../engine/engine.fixture.ts';
import { ClickHouseEvidence } from '../../journal/evidence/clickhouse-evidence.ts';
import { parseDay } from '../calendar-day.ts';
import { batchesToRead } from './batches-to-read.ts';

const DAY_MS = 86_400_000;
const NOVEMBER = { fromDay: Number(parseDay('2026-11-01')), toDay: Number(parseDay('2026-12-01')) };

let opened: OpenedStore;
beforeAll(async () => {
  opened = await OPEN_STORE.embedded();
  // A batch a day, from 20 October to 9 November; the last ones of `idle` are of October.
  for (const [lane, batches] of [
    ['busy', 21],
    ['idle', 9],
    ['charged', 9],
    ['corrected', 9],
    ['leaked', 9],
  ]) {
    await opened.store.command(
      'INSERT INTO journal (kind, lane, topic, partition, first_offset, offset, lane_sequence, lane_position, booking_date, records_read, leakage) ' +
        `SELECT 'batch', '${lane}', '${lane}', 0, number * 10, number * 10 + 9, number + 1, number * 10, toDate('2026-10-20') + number, 10, ` +
        `if(number = 2 AND '${lane}' = 'leaked', [('', 'no_evidence', '8.8.8.0/24', '', 'gw', '2026-11-03', 1, 9)], [('', 'no_evidence', '', '', '', '1970-01-01', 9, 9)]) ` +
        `FROM numbers(${batches})`,
    );
  }
  await opened.store.command(
    'INSERT INTO journal (kind, lane, topic, partition, first_offset, offset, lane_sequence, lane_position, booking_date, gap_reason) ' +
      "SELECT 'batch', 'idle', 'idle', 0, 90, 99, 10, 90, toDate('2026-10-28'), 'retention'",
  );
  const at = "toDateTime64('2026-11-20 00:00:00', 3, 'UTC') AS start_time";
  await opened.store.command(
    `INSERT INTO journal (kind, lane, topic, offset, start_time) SELECT 'charge', 'charged', 'charged', 45, ${at}`,
  );
  await opened.store.command(
    `INSERT INTO corrections (kind, number, lane, topic, offset, start_time) SELECT 'charge', 1, 'corrected', 'corrected', 63, ${at}`,
  );
});
afterAll(() => opened?.close());

async function firstOf(maxFutureSkewMs: number): Promise<Record<string, [first: number, batches: number]>> {
  const batches = await new ClickHouseEvidence(opened.store).batches();
  const found: Record<string, [number, number]> = {};
  for (const { lane, numbers } of await batchesToRead(opened.store, batches, NOVEMBER, maxFutureSkewMs)) {
    found[lane] = [found[lane]?.[0] ?? numbers.lane_sequence, (found[lane]?.[1] ?? 0) + 1];
  }
  return found;
}

test('each lane is read from its first batch that may have a record of the periods, to its end', async () => {
  // 29 October is the first day on which a record may be of the night to 1 November: a day of skew, a day of slack. The batch before may
  // have been open until then.
  expect(await firstOf(DAY_MS)).toEqual({
    busy: [9, 13],
    // Its last batch may have been open for longer; the gap behind it has no records.
    idle: [9, 2],
    charged: [5, 5],
    corrected: [7, 3],
    leaked: [3, 7],
  });
  expect(await firstOf(3 * DAY_MS)).toMatchObject({ busy: [7, 15], idle: [7, 4] });
});

test('where any record may have any time, all is read', async () => {
  expect(await firstOf(0)).toEqual({
    busy: [1, 21],
    idle: [1, 10],
    charged: [1, 9],
    corrected: [1, 9],
    leaked: [1, 9],
  });
});
