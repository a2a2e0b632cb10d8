import type { ClickHouseSettings } from '@clickhouse/client';
import { literal } from './store.ts';

/** A ClickHouse cluster whose tables are replicated. */
export interface ClusterOptions {
  /** As `remote_servers` names it. */
  name: string;
  /** Replicas that must have a block before it is booked; auto: the majority of them. */
  quorum: 'auto' | number;
}

/** Less than what a request may take, so that the server's own word is heard. */
const QUORUM_TIMEOUT_MS = 30_000;
const DDL_TIMEOUT_SECONDS = 50;

/** ` ON CLUSTER 'name'`, for behind the name that a statement makes or alters. */
export function onCluster(cluster: string): string {
  return ` ON CLUSTER ${literal(cluster)}`;
}

/**
 * What makes of replicas one journal (docs/operate/cluster.md): a block is booked when a quorum has it, one after the other, and
 * what is read holds all that was booked, or the replica refuses to be read. They hold for every statement of a store.
 */
export function clusterSettings({ quorum }: ClusterOptions): ClickHouseSettings {
  return {
    insert_quorum: String(quorum),
    // Quorums beside each other would have no order, and reading would not show what it lacks.
    insert_quorum_parallel: 0,
    insert_quorum_timeout: QUORUM_TIMEOUT_MS,
    select_sequential_consistency: '1',
    // An insert is answered when its shard has it, and not when it waits in a queue for its shard.
    distributed_foreground_insert: 1,
    // A lane is asked for where it is.
    optimize_skip_unused_shards: 1,
    distributed_product_mode: 'global',
    distributed_ddl_task_timeout: String(DDL_TIMEOUT_SECONDS),
  };
}

/** One call after the other: a shard refuses an insert while another waits for its quorum. */
export function inTurn<A extends unknown[]>(call: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return (...args) => {
    const own = last.then(() => call(...args));
    last = own.catch(() => {});
    return own;
  };
}
