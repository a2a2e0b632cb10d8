import type { Store } from '../../platform/clickhouse/store.ts';
import type { Coverage } from '../closing/coverage.ts';
import { coveredLeaves } from '../closing/covered-rows.ts';
import { MerkleTree } from './merkle.ts';
import { digestOfBatches, LISTED_BATCHES } from './statement-arithmetic.ts';
import type { StatementProof } from './statement-document.ts';
import { chargesWithBatches } from './statement-lines.ts';

type Batches = StatementProof['batches'];

/** Returns the root over the covered rows (`rows` of them), and the digests of their batches. */
export async function readProof(store: Store, coverage: Coverage, rows: number): Promise<StatementProof> {
  const tree = new MerkleTree();
  for await (const leaf of coveredLeaves(store, coverage, rows)) tree.add(leaf);
  return {
    merkleRoot: Buffer.from(tree.root()).toString('hex'),
    leaves: tree.count,
    rowForm: 'zerorate-row-1',
    batches: await readBatches(store, coverage),
  };
}

async function readBatches(store: Store, coverage: Coverage): Promise<Batches> {
  const rows = await store.query<{ digest: string }>(
    'SELECT charges.topic AS log_topic, charges.partition AS log_partition, last_offset, digest ' +
      `FROM ${chargesWithBatches(coverage)} GROUP BY ALL ORDER BY log_topic, log_partition, last_offset`,
  );
  // The offsets of a batch would reveal how much all sponsors together sent.
  const list = rows.map(({ digest }) => ({ digest: String(digest) }));
  return {
    count: list.length,
    digest: digestOfBatches(list),
    list: list.length > LISTED_BATCHES ? null : list,
  };
}
