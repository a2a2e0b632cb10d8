import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { dockerAnswers } from './docker.ts';

const CLICKHOUSE_IMAGE = 'clickhouse/clickhouse-server:25.8';

/** A ClickHouse with HTTP, for a test. */
export interface ClickHouseServer {
  /** For `createClient({ url })`; holds user, password and database where they are needed. */
  url: string;
  origin: 'CLICKHOUSE_URL' | 'testcontainers' | 'chdb';
  /** Ends a server that was started here; leaves a server of `CLICKHOUSE_URL` running. */
  stop(): Promise<void>;
}

/**
 * Returns the server that the environment variable `CLICKHOUSE_URL` names; otherwise starts a container where Docker
 * answers, or the HTTP fixture over chdb in its own process.
 */
export async function startClickHouse(): Promise<ClickHouseServer> {
  const url = process.env.CLICKHOUSE_URL;
  if (url) return { url, origin: 'CLICKHOUSE_URL', stop: async () => {} };
  if (await dockerAnswers()) return startFromContainer();
  const { url: fixtureUrl, stop } = await startClickHouseProcess();
  return { url: fixtureUrl, origin: 'chdb', stop };
}

async function startFromContainer(): Promise<ClickHouseServer> {
  const { ClickHouseContainer } = await import('@testcontainers/clickhouse');
  const container = await new ClickHouseContainer(CLICKHOUSE_IMAGE).start();
  const stop = async () => {
    await container.stop();
  };
  return { url: container.getConnectionUrl(), origin: 'testcontainers', stop };
}
