import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { OperatedEngines } from './operated-engine.fixture.ts';

let engines: OperatedEngines;

beforeAll(async () => {
  engines = await OperatedEngines.start();
});
afterEach(() => engines.endAll());
afterAll(() => engines?.stop());

const read = async (name: string) =>
  (await engines.zerorate.rows<{ n: string }>('SELECT toString(sum(records_read)) AS n FROM batches', name))[0]?.n;

test('latest: what came before the first start is not read, what comes before a restart is, and nothing twice', async () => {
  const config = await engines.configure('late');
  const latest = { ZERORATE_KAFKA_START_FROM: 'latest' };
  await engines.produce('late', 1, 300);
  const first = await engines.run(config, latest);
  await first.line(({ msg, partition }) => msg === 'partition assigned' && partition === 1);
  await first.line(({ msg, partition }) => msg === 'partition assigned' && partition === 0);
  // Killed before it books any record.
  first.signal('SIGKILL');
  await first.ended;
  await engines.produce('late', 2, 200);
  const second = await engines.run(config, latest);
  await second.booked(200);
  // A partition that is added is read from its beginning.
  await engines.admin.createPartitions({ topicPartitions: [{ topic: 'late', count: 3 }] });
  await engines.send('late', [{ partition: 2, key: '1', value: 'no record' }]);
  await second.booked(201);
  expect(await second.stop()).toBe(0);
  expect(await read('late')).toBe('201');
  const starts = await engines.zerorate.rows<Record<string, number>>(
    'SELECT partition, first_offset > 0 AS begins_late FROM source_starts ORDER BY partition',
    'late',
  );
  expect(starts).toEqual([
    { partition: 0, begins_late: 1 },
    { partition: 1, begins_late: 1 },
  ]);
  expect(await engines.zerorate.rows('SELECT * FROM source_gaps', 'late')).toEqual([]);
  const audit = await engines.zerorate.run(['audit', '--against-source', ...config]);
  expect(audit.code, audit.stdout + audit.stderr).toBe(0);
});

test('a time that lies before all records begins with the first one', async () => {
  const config = await engines.configure('timed');
  await engines.produce('timed', 3, 100);
  const engine = await engines.run(config, { ZERORATE_KAFKA_START_FROM: '2001-01-01T00:00:00Z' });
  await engine.booked(100);
  expect(await engine.stop()).toBe(0);
  expect(await read('timed')).toBe('100');
});
