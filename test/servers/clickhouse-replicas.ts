import type { StartedTestContainer } from 'testcontainers';

const SERVER_IMAGE = 'clickhouse/clickhouse-server:25.8';
const KEEPER_IMAGE = 'clickhouse/clickhouse-keeper:25.8';
const HOSTS = ['replica-1', 'replica-2'] as const;
const PASSWORD = 'test';
const STARTUP_TIMEOUT_MS = 120_000;

/** A ClickHouse cluster for a test. */
export interface ClickHouseCluster {
  /** Its name in `remote_servers`. */
  name: string;
  /** Each is the URL of another server of it. */
  urls: readonly [string, ...string[]];
  username: string;
  password: string;
  origin: 'testcontainers' | 'chdb';
  /** Returns a statement adapted to this cluster: chdb has neither replicas nor `ON CLUSTER`. */
  taken(sql: string): string;
  /** Only with origin `testcontainers`: halts a server; it continues after that. */
  pause?(index: number): Promise<void>;
  unpause?(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one shard of two replicas with a Keeper, in containers of one network. */
export async function startReplicas(name: string): Promise<ClickHouseCluster> {
  const { GenericContainer, Network, Wait, getContainerRuntimeClient } = await import('testcontainers');
  const network = await new Network().start();
  const keeper = await new GenericContainer(KEEPER_IMAGE)
    .withNetwork(network)
    .withNetworkAliases('keeper')
    .withCopyContentToContainer([{ content: KEEPER, target: '/etc/clickhouse-keeper/keeper_config.xml' }])
    .withExposedPorts(9181)
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(STARTUP_TIMEOUT_MS)
    .start();
  const start = (host: string): Promise<StartedTestContainer> =>
    new GenericContainer(SERVER_IMAGE)
      .withNetwork(network)
      .withNetworkAliases(host)
      .withEnvironment({ CLICKHOUSE_PASSWORD: PASSWORD })
      .withCopyContentToContainer([
        { content: configOf(name, host), target: '/etc/clickhouse-server/config.d/cluster.xml' },
      ])
      .withExposedPorts(8123)
      .withWaitStrategy(Wait.forHttp('/ping', 8123))
      .withStartupTimeout(STARTUP_TIMEOUT_MS)
      .start();
  const servers = await Promise.all(HOSTS.map(start));
  const runtime = await getContainerRuntimeClient();
  const handle = (index: number) => runtime.container.getById(servers[index].getId());
  const [first, ...others] = servers.map((server) => `http://${server.getHost()}:${server.getMappedPort(8123)}`);
  return {
    name,
    urls: [first, ...others],
    username: 'default',
    password: PASSWORD,
    origin: 'testcontainers',
    taken: (sql) => sql,
    async pause(index) {
      await handle(index).pause();
    },
    async unpause(index) {
      await handle(index).unpause();
    },
    async stop() {
      for (const container of [...servers, keeper]) await container.stop();
      await network.stop();
    },
  };
}

const KEEPER = `<clickhouse>
  <listen_host>0.0.0.0</listen_host>
  <keeper_server>
    <tcp_port>9181</tcp_port>
    <server_id>1</server_id>
    <log_storage_path>/var/lib/clickhouse/coordination/log</log_storage_path>
    <snapshot_storage_path>/var/lib/clickhouse/coordination/snapshots</snapshot_storage_path>
    <raft_configuration><server><id>1</id><hostname>keeper</hostname><port>9234</port></server></raft_configuration>
  </keeper_server>
</clickhouse>
`;

function configOf(cluster: string, host: string): string {
  const replicas = HOSTS.map(
    (of) =>
      `<replica><host>${of}</host><port>9000</port><user>default</user><password>${PASSWORD}</password></replica>`,
  );
  return `<clickhouse>
  <listen_host>0.0.0.0</listen_host>
  <interserver_http_host>${host}</interserver_http_host>
  <macros><shard>1</shard><replica>${host}</replica></macros>
  <zookeeper><node><host>keeper</host><port>9181</port></node></zookeeper>
  <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
  <remote_servers><${cluster}><shard>
    <internal_replication>true</internal_replication>
    ${replicas.join('\n    ')}
  </shard></${cluster}></remote_servers>
</clickhouse>
`;
}
