import { onCluster } from '../platform/server-cluster.ts';
import { literal } from '../platform/store.ts';

/** The one table that is cut into shards, by lane: a lane's chain, its counters and its guard are in one of them. */
const SHARDED = 'journal';
/** What a shard holds of it; under the table's own name stands what reads and writes all shards. */
const LOCAL = 'journal_local';

const HEAD = /^(CREATE TABLE IF NOT EXISTS|CREATE VIEW IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE) (\w+)/;
const PROJECTION = /^\s+(ADD|MATERIALIZE) PROJECTION\b/;
const CHANGES_MORE_THAN_COMMENTS = /\b(ADD|DROP|RENAME|MODIFY) (COLUMN|INDEX|PROJECTION|SETTING)\b/;

/**
 * A migration's statement as a cluster takes it (docs/cluster.md). The journal is replicated in each shard and read through
 * a `Distributed` table; all other tables are numbered facts, of which every server of the cluster is a replica, so that a
 * guard reads them where it stands. Throws on a statement that has no such form: whoever writes a migration finds out.
 */
export function clusterStatements(statement: string, cluster: string): string[] {
  const sql = statement.replace(/^(\s*--.*\n|\s+)+/, '');
  const [head = '', verb = '', name = ''] = HEAD.exec(sql) ?? [];
  const rest = sql.slice(head.length);
  const everywhere = (table: string, body = rest) => `${verb} ${table}${onCluster(cluster)}${body}`;
  switch (verb) {
    case 'CREATE TABLE IF NOT EXISTS': {
      if (name !== SHARDED) return [everywhere(name, replicated(rest, `${name}/all`, '{shard}-{replica}'))];
      const shards = `Distributed(${literal(cluster)}, currentDatabase(), ${literal(LOCAL)}, sipHash64(lane))`;
      const local = replicated(rest, `${LOCAL}/{shard}`, '{replica}');
      return [everywhere(LOCAL, local), everywhere(SHARDED, ` AS ${LOCAL} ENGINE = ${shards}`)];
    }
    case 'CREATE VIEW IF NOT EXISTS':
    case 'CREATE OR REPLACE VIEW':
      return [everywhere(name)];
    case 'ALTER TABLE':
      // Projections are of the shards' own parts.
      if (name === SHARDED)
        return PROJECTION.test(rest) ? [everywhere(LOCAL)] : [everywhere(LOCAL), everywhere(SHARDED)];
      // A table's comment stands on each server. Its columns are everybody's: one server is asked, and tells the others.
      return CHANGES_MORE_THAN_COMMENTS.test(rest) ? [`${sql} SETTINGS alter_sync = 2`] : [everywhere(name)];
    default:
      throw new Error(`a migration's statement has no form for a cluster: ${sql.slice(0, 80)}`);
  }
}

/** Tokens are forgotten by number and not by age, and a part that was fetched outlives a power cut like one that was inserted. */
function replicated(definition: string, path: string, replica: string): string {
  return definition
    .replace(
      /ENGINE = (\w*MergeTree)\b/,
      `ENGINE = Replicated$1('/clickhouse/tables/{database}/${path}', '${replica}')`,
    )
    .replace(
      /non_replicated_deduplication_window = (\d+)/,
      'replicated_deduplication_window = $1, replicated_deduplication_window_seconds = 31536000',
    )
    .replace(/fsync_after_insert = 1/, 'fsync_after_insert = 1, min_compressed_bytes_to_fsync_after_fetch = 1');
}
