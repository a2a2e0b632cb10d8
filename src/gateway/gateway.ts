import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../platform/clock.ts';
import { createKafka } from '../platform/kafka.ts';
import type { Logger } from '../platform/logger.ts';
import { packagePath } from '../platform/package-paths.ts';
import { TagKeys } from '../session-protocol/tag-keys.ts';
import { Bearers } from './bearers.ts';
import { controlServer } from './control-server.ts';
import { FlowTable } from './flow-table.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { IdentityIssuer } from './identity-issuer.ts';
import { RecordSender } from './record-sender.ts';
import { RecordSpool } from './record-spool.ts';
import { TerminalTags } from './terminal-tags.ts';
import { UserPlane } from './user-plane.ts';

const CONNECTIONS_GRACE_MS = 3000;
/** Few: what fails waits on disk, and a stop must not wait for it. */
const KAFKA_RETRIES = 2;
const KAFKA_GRACE_MS = 5000;
const KEYS_TIMEOUT_MS = 5000;

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
  const tagKeys = tagKeysOf(config, logger);
  const tags = terminalTagsOf(config, tagKeys, nowMs);
  const userPlane = new UserPlane({ bearers, flows, tags, logger });
  const control = controlServer({
    operatorSecret: config.operatorSecret,
    proxies: config.proxies,
    bearers,
    flows,
    identity,
    nowMs,
    socksUrl: () => `socks5://${config.userPlane.host}:${userPlanePort}`,
    standing: () => ({
      openFlows: flows.size,
      spooledRecords: spool.size,
      kafkaProblem: sender.problem,
      ...tagStanding(),
    }),
    onBearerRemoved: (bearerId) => userPlane.breakBearer(bearerId),
  });

  function tagStanding() {
    return { terminalTags: tags?.counts() ?? null, tagKeysReachable: tagKeys?.areReachable ?? null };
  }
  async function stop(): Promise<number> {
    tagKeys?.stop();
    await userPlane.stop(CONNECTIONS_GRACE_MS);
    await control.close();
    flows.stop();
    const left = await sender.stop(KAFKA_GRACE_MS);
    await spool.close();
    return left;
  }
  await tagKeys?.start();
  const userPlanePort = await userPlane.start(config.userPlane.host, config.userPlane.port);
  await control.listen({ host: config.control.host, port: config.control.port });
  flows.start();
  sender.start();
  return { userPlanePort, controlPort: (control.server.address() as AddressInfo).port, stop };
}

/** Null where no application is identified by tags of its terminals. */
function tagKeysOf({ terminalTags }: GatewayConfig, logger: Logger): TagKeys | null {
  if (terminalTags === undefined) return null;
  const { jwksUrl } = terminalTags;
  return new TagKeys({
    clock: systemClock,
    async fetch() {
      const response = await fetch(jwksUrl, { signal: AbortSignal.timeout(KEYS_TIMEOUT_MS), redirect: 'error' });
      if (!response.ok) throw new Error(`${jwksUrl} answers ${response.status}`);
      return response.json();
    },
    onFailure(error) {
      const message =
        'the dispatch server’s keys cannot be fetched: traffic with a tag of a key that is not known stays untagged';
      logger.warn({ err: error, jwksUrl }, message);
    },
  });
}

function terminalTagsOf(
  { terminalTags, proxies }: GatewayConfig,
  keys: TagKeys | null,
  nowMs: () => number,
): TerminalTags | null {
  if (terminalTags === undefined || keys === null) return null;
  return new TerminalTags({ ...terminalTags, proxies, findKey: keys.find, nowMs });
}
