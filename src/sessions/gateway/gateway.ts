import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { lockDataDirectory } from '../../platform/data-directory.ts';
import { createKafka } from '../../platform/kafka/kafka.ts';
import { ListenError } from '../../platform/network/listen-error.ts';
import { packagePath } from '../../platform/package-paths.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { Bearers } from './bearers.ts';
import { FlowTable } from './flow-table.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { createGatewayControl } from './gateway-control.ts';
import { IdentityIssuer } from './identity-issuer.ts';
import { RecordSender } from './record-sender.ts';
import { RecordSpool } from './record-spool.ts';
import { TagRecognition } from './tag-recognition.ts';
import { UserPlane } from './user-plane.ts';

const CONNECTIONS_GRACE_MS = 3000;
/** Few: what fails waits on disk, and a stop must not wait for it. */
const KAFKA_RETRIES = 2;
const KAFKA_GRACE_MS = 5000;

export interface Gateway {
  userPlanePort: number;
  controlPort: number;
  /** Takes over proxies, secrets and the identity key; all else counts from the next start. */
  reload(config: GatewayConfig): void;
  /** Resolves with how many records stay on the spool for the next start. */
  stop(): Promise<number>;
}

/**
 * Starts the gateway. Rejects with a ListenError when a port is taken, a DataDirectoryError when another process has the spool, and a
 * SpoolError when it is another node's. `onMetrics` is given the registry of its metrics.
 */
export async function startGateway(
  config: GatewayConfig,
  logger: Logger,
  onMetrics?: (registry: Registry) => void,
): Promise<Gateway> {
  const nowMs = Date.now;
  let live = liveSettings(config);
  const unlock = await lockDataDirectory({ path: config.spool, owner: 'gateway', field: 'spool' });
  // Records that Kafka has are in the file's free pages still, with the subscribers' numbers.
  await RecordSpool.compact(config.spool);
  const spool = RecordSpool.open(config.spool, config.nodeId);
  const sender = new RecordSender({
    spool,
    kafka: createKafka({ brokers: config.kafka.brokers, clientId: config.nodeId, retries: KAFKA_RETRIES, logger }),
    brokers: config.kafka.brokers,
    topic: config.kafka.topic,
    schema: JSON.parse(readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8')),
    logger,
  });
  const bearers = new Bearers(spool, config.terminalAddresses);
  const flows = new FlowTable({
    partialRecords: config.partialRecords,
    nowMs,
    isProxy: (remoteIp) => live.proxies.some(({ addresses }) => addresses.includes(remoteIp)),
    onRecord(draft, bearer) {
      spool.append(draft, bearer);
      sender.wake();
    },
  });
  const tags = new TagRecognition(config.terminalTags ?? null, { proxies: () => live.proxies, nowMs, logger });
  const userPlane = new UserPlane({ bearers, flows, tags: tags.terminalTags, logger });
  const control = await createGatewayControl({
    control: config.control,
    logger,
    // Looked up with each request, as they may change.
    get operatorSecret() {
      return live.operatorSecret;
    },
    get proxies() {
      return live.proxies;
    },
    identity: { assertion: (...of) => live.identity.assertion(...of) },
    bearers,
    flows,
    nowMs,
    socksUrl: () => config.userPlane.publicUrl ?? `socks5://${config.userPlane.host}:${userPlanePort}`,
    ...(onMetrics && { onMetrics }),
    status: () => ({
      openFlows: flows.size,
      spooledRecords: spool.size,
      kafkaProblem: sender.problem,
      ...tags.status(),
    }),
    onBearerRemoved: (bearerId) => userPlane.breakBearer(bearerId),
  });

  async function stop(): Promise<number> {
    tags.stop();
    await userPlane.stop(CONNECTIONS_GRACE_MS);
    await control.close();
    flows.stop();
    const left = await sender.stop(KAFKA_GRACE_MS);
    await spool.close();
    unlock();
    return left;
  }
  await tags.start();
  let userPlanePort = 0;
  try {
    userPlanePort = await listening('userPlane', config.userPlane, (host, port) => userPlane.start(host, port));
    await listening('control', config.control, (host, port) => control.listen({ host, port }));
  } catch (error) {
    await stop();
    throw error;
  }
  flows.start();
  sender.start();
  const reload = (next: GatewayConfig) => {
    live = liveSettings(next);
  };
  return { userPlanePort, controlPort: (control.server.address() as AddressInfo).port, reload, stop };
}

/** What of the configuration a running gateway takes over. */
function liveSettings({ operatorSecret, proxies, identity }: GatewayConfig) {
  return { operatorSecret, proxies, identity: new IdentityIssuer(identity) };
}

async function listening<T>(
  field: string,
  { host, port }: { host: string; port: number },
  listen: (host: string, port: number) => Promise<T>,
): Promise<T> {
  try {
    return await listen(host, port);
  } catch (cause) {
    throw new ListenError(field, { host, port }, cause);
  }
}
