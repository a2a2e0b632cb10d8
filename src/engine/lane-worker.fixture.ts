import { trace } from '@opentelemetry/api';
import { ClickHouseJournal } from '../journal/clickhouse-journal.ts';
import type { Store } from '../platform/clickhouse/store.ts';
import { systemClock } from '../platform/clock.ts';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import { Rules } from '../rating/rules.ts';
import type { BookedBatch, WorkerPorts, WorkerSettings } from './book-batch.ts';
import { memoryPublisher, TEST_SETTINGS } from './engine.fixture.ts';
import { LaneWorker } from './lane-worker.ts';
import { chatCatalogue } from './traffic.fixture.ts';

/** For a source that has no bounds to ask for. */
export const noBounds = async () => null;

/** A worker over a store, with what it has booked, published and failed with. Batches end only when they are full, or by a flush. */
export function laneWorker(
  store: Store,
  topic: string,
  ports: Partial<WorkerPorts> = {},
  settings: Partial<WorkerSettings> = {},
) {
  const log = { topic, partition: 0, lane: `${topic}-0` };
  const published: QuotaUpdate[] = [];
  const booked: BookedBatch[] = [];
  const failures: unknown[] = [];
  const rules = new Rules(chatCatalogue());
  const lane = new LaneWorker(
    log.lane,
    {
      journal: new ClickHouseJournal(store),
      retry: { firstDelayMs: 1, maxDelayMs: 1, giveUpAfterMs: 1 },
      publisher: memoryPublisher(published),
      rules: async () => rules,
      clock: systemClock,
      tracer: trace.getTracer('test'),
      onBooked: (batch) => booked.push(batch),
      onFailure: (_, error) => failures.push(error),
      ...ports,
    },
    {
      ...TEST_SETTINGS,
      ...{ maxRecords: 100, maxDelayMs: 60_000, rejectionPayloadBytes: 100, duplicateWindowRecords: 100 },
      ...settings,
    },
  );
  return { log, lane, published, booked, failures };
}
