import { ClickHouseEvidence } from '../journal/evidence/clickhouse-evidence.ts';
import type { Catalogue } from '../rating/catalogue.ts';
import { memoryPublisher, memorySource, OPEN_STORE, type rawRecords, runEngine } from './engine.fixture.ts';
import { walkBatches } from './read-again/walk-batches.ts';

type Log = 'restarted' | 'whole';
const LOGS = { restarted: logOf('restarted'), whole: logOf('whole') };

function logOf(topic: Log) {
  return { topic, partition: 0, lane: `${topic}-0` };
}

/** Books the same records in two logs: by a new engine for every batch, which knows what the journal says, and by one that knows all from its own memory. */
export async function bookRestartedAndWhole(
  catalogue: Catalogue | undefined,
  records: ReturnType<typeof rawRecords>,
  batchRecords: number,
) {
  if (catalogue === undefined) throw new Error('the catalogue is bad');
  const opened = await OPEN_STORE.embedded();
  const evidence = new ClickHouseEvidence(opened.store);
  const publishers = { restarted: memoryPublisher(), whole: memoryPublisher() };
  const run = (log: Log, until: number) =>
    runEngine({
      store: opened.store,
      source: memorySource(LOGS[log], records.slice(0, until)),
      catalogue,
      publisher: publishers[log],
      maxRecords: batchRecords,
    });
  for (let until = batchRecords; until <= records.length; until += batchRecords) await run('restarted', until);
  await run('whole', records.length);

  /** The batches of both lanes from this number on, as the source has them. */
  async function* walk(from = 1, of = evidence) {
    const batches = (await of.batches()).filter(({ numbers }) => numbers.lane_sequence >= from);
    for (const log of Object.values(LOGS)) {
      yield* walkBatches(
        batches.filter(({ lane }) => lane === log.lane),
        async () => memorySource(log, records),
      );
    }
  }
  return { opened, evidence, publishers, walk };
}

export async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
