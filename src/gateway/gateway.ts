import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createKafka } from '../platform/kafka.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import { Bearers } from './bearers.ts';
import { createControlServer } from './control-server.ts';
import { FlowTable } from './flow-table.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { IdentityIssuer } from './identity-issuer.ts';
import { RecordSender } from './record-sender.ts';
import { RecordSpool } from './record-spool.ts';
import { UserPlane } from './user-plane.ts';

const CONNECTIONS_GRACE_MS = 3000;
/** Few: what fails waits on disk, and a stop must not wait for it. */
const KAFKA_RETRIES = 2;
const KAFKA_GRACE_MS = 5000;

export interface Gateway {
  userPlanePort: number;
  controlPort: number;
  /** Resolves with how many records stay on the spool for the next start. */
  stop(): Promise<number>;
}

/** Starts the gateway. Rejects when a port is taken or the spool is another node's. */
export async function startGateway(config: GatewayConfig, logger: Logger): Promise<Gateway> {
  const nowMs = Date.now;
  const identity = new IdentityIssuer(config.identity);
  const spool = RecordSpool.open(config.spool, config.nodeId);
  const sender = new RecordSender({
    spool,
    kafka: createKafka({ brokers: config.kafka.brokers, clientId: config.nodeId, retries: KAFKA_RETRIES, logger }),
    topic: config.kafka.topic,
    schema: JSON.parse(readFileSync(packagePath('schemas/flow-record.avsc'), 'utf8')),
    logger,
  });
  const bearers = new Bearers(spool, config.terminalAddresses);
  const flows = new FlowTable({
    partialRecords: config.partialRecords,
    nowMs,
    onRecord(draft, bearer) {
      spool.append(draft, bearer);
      sender.wake();
    },
  });
  const userPlane = new UserPlane({ bearers, flows, logger });
  const control = await createControlServer({
    control: config.control,
    logger,
    operatorSecret: config.operatorSecret,
    proxies: config.proxies,
    bearers,
    flows,
    identity,
    nowMs,
    socksUrl: () => `socks5://${config.userPlane.host}:${userPlanePort}`,
    standing: () => ({ openFlows: flows.size, spooledRecords: spool.size, kafkaProblem: sender.problem }),
    onBearerRemoved: (bearerId) => userPlane.breakBearer(bearerId),
  });

  async function stop(): Promise<number> {
    await userPlane.stop(CONNECTIONS_GRACE_MS);
    await control.close();
    flows.stop();
    const left = await sender.stop(KAFKA_GRACE_MS);
    await spool.close();
    return left;
  }
  const userPlanePort = await userPlane.start(config.userPlane.host, config.userPlane.port);
  await control.listen({ host: config.control.host, port: config.control.port });
  flows.start();
  sender.start();
  return { userPlanePort, controlPort: (control.server.address() as AddressInfo).port, stop };
}
