import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { type ClickHouseCluster, startReplicas } from './clickhouse-replicas.ts';
import { dockerAnswers } from './docker.ts';

export type { ClickHouseCluster };

const NAME = 'zerorate';

/**
 * Starts Keeper and two replicas where Docker answers. Otherwise one chdb that is the only shard of its cluster: reads and
 * inserts go through `Distributed` tables as on any other, but the tables behind them are not replicated, as chdb starts no
 * Keeper and no replica.
 */
export async function startClickHouseCluster(): Promise<ClickHouseCluster> {
  return (await dockerAnswers()) ? startReplicas(NAME) : startShard();
}

/** A server belongs to a cluster only by its own port, which need not be open. */
export const CHDB_CLUSTER = `<clickhouse>
  <tcp_port>9000</tcp_port>
  <macros><shard>1</shard><replica>one</replica></macros>
  <remote_servers><${NAME}><shard>
    <internal_replication>true</internal_replication>
    <replica><host>localhost</host><port>9000</port></replica>
  </shard></${NAME}></remote_servers>
</clickhouse>
`;

async function startShard(): Promise<ClickHouseCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-cluster-'));
  const configFile = join(directory, 'config.xml');
  await writeFile(configFile, CHDB_CLUSTER);
  const server = await startClickHouseProcess({ path: join(directory, 'data'), configFile });
  return {
    name: NAME,
    urls: [server.url],
    username: 'default',
    password: '',
    origin: 'chdb',
    taken: onOneServer,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function onOneServer(sql: string): string {
  return sql
    .replace(/ ON CLUSTER '[^']*'/, '')
    .replace(/ENGINE = Replicated(\w*MergeTree)\([^)]*\)/, 'ENGINE = $1')
    .replace(
      /replicated_deduplication_window = (\d+), replicated_deduplication_window_seconds = \d+/,
      'non_replicated_deduplication_window = $1',
    );
}
