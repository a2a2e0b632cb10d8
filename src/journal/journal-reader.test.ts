import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Store } from '../platform/clickhouse/store.ts';
import { JournalReader } from './clickhouse-journal.ts';

test('a result that breaks off is a failure that may be retried', async () => {
  const store: Pick<Store, 'query' | 'stream'> = {
    query: async <T>() => [{ counters: '1', subscribers: '1' }] as T[],
    stream: async () =>
      Readable.from(
        (async function* () {
          yield Buffer.from([1]);
          throw new Error('socket hang up');
        })(),
      ),
  };
  const reader = new JournalReader(store as Store);
  for (const chunks of [reader.counters('flow-0', 0, 1), reader.seen('flow-0', 0, 1)]) {
    await expect(async () => {
      for await (const _ of chunks);
    }).rejects.toMatchObject({ code: 'store_unreachable', canRetry: true });
  }
});
