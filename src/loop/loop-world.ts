import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kafka } from 'kafkajs';
import type { Cleanups } from '../chaos/cleanups.ts';
import { createKafka } from '../platform/kafka.ts';
import { startClickHouseProcess } from '../testing/clickhouse-process.ts';
import { freePort } from '../testing/free-port.ts';
import { type KafkaServer, startKafka } from '../testing/kafka-server.ts';
import { CallHost } from './call-host.ts';
import { Companion, type CompanionOptions } from './companion.ts';
import { FLOW_TOPIC, type LoopFiles, type ProxyPorts, QUOTA_TOPIC, writeLoopFiles } from './loop-files.ts';
import { ADDRESS_PROXY_IP, APPLICATIONS } from './loop-plan.ts';
import { MediaHost } from './media-host.ts';
import { MessageHub } from './message-hub.ts';

/** Two in regions of their own, and one whose address is the evidence. */
const PROXY_HOSTS = ['127.0.0.1', '127.0.0.1', ADDRESS_PROXY_IP];
const PARTITIONS = 4;

/** Every program of the loop, running. */
export interface LoopWorld {
  folder: string;
  files: LoopFiles;
  kafka: Kafka;
  broker: KafkaServer;
  storeUrl: string;
  engine: Companion;
  dispatch: Companion;
  gateway: Companion;
  proxies: Companion[];
  dispatchUrl: string;
  gatewayUrl: string;
  /** Ports of the proxies that terminals connect to. */
  terminalPorts: ReadonlySet<number>;
  /** Of these: for calls alone. */
  socks5Ports: ReadonlySet<number>;
  relayUpstreams: Readonly<Record<string, string>>;
  mediaPorts: Readonly<Record<string, number>>;
  /** UDP. */
  callPorts: Readonly<Record<string, number>>;
}

/** Starts all of it. What was started is ended by `endings`, in reverse order, however far it came. */
export async function startLoopWorld(endings: Cleanups): Promise<LoopWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-loop-'));
  endings.add(async (keep) => keep || rm(folder, { recursive: true, force: true }));
  const broker = await startKafka({
    properties: { 'broker.session.timeout.ms': '2000', 'broker.heartbeat.interval.ms': '500' },
  });
  endings.add(() => broker.stop());
  const kafka = createKafka({ brokers: broker.brokers, clientId: 'loop' });
  await createTopics(kafka);
  const store = await startClickHouseProcess({ path: join(folder, 'clickhouse') });
  endings.add(() => store.stop());
  const { relayUpstreams, mediaPorts, callPorts } = await startApplications(endings);

  const proxyPorts: ProxyPorts[] = [];
  for (const host of PROXY_HOSTS) proxyPorts.push({ host, ...(await proxyPortsFree()) });
  const dispatchPort = await freePort();
  const gatewayPorts = { userPlane: await freePort(), control: await freePort() };
  const place = { folder, brokers: broker.brokers, storeUrl: store.url, dispatchPort, gatewayPorts, proxyPorts };
  const files = await writeLoopFiles({ ...place, relayUpstreams, mediaPorts, callPorts });
  type Interface = { host?: string; control: number };
  const companion = (command: CompanionOptions['command'], config: string, name: string, at?: Interface) => {
    const made = new Companion({
      command,
      config,
      environment: files.environment,
      logFile: join(folder, `${name}.log`),
      ...(at && { readyUrl: `http://${at.host ?? '127.0.0.1'}:${at.control}/health/ready` }),
    });
    endings.add(() => made.kill());
    return made;
  };
  const engine = companion('run', files.engine, 'engine');
  const dispatch = companion('dispatch', files.dispatch, 'dispatch', { control: dispatchPort });
  const gateway = companion('gateway', files.gateway, 'gateway', gatewayPorts);
  const proxies = files.proxies.map((config, at) => companion('proxy', config, `proxy-${at + 1}`, proxyPorts[at]));
  // The engine makes the tables that the dispatch server reads.
  await engine.start();
  await gateway.start();
  await dispatch.start();
  await Promise.all(proxies.map((proxy) => proxy.start()));
  return {
    ...{ folder, files, kafka, broker, storeUrl: store.url, engine, dispatch, gateway, proxies },
    dispatchUrl: `http://127.0.0.1:${dispatchPort}`,
    gatewayUrl: `http://127.0.0.1:${gatewayPorts.control}`,
    terminalPorts: new Set(proxyPorts.flatMap(({ connect, socks5, relay }) => [connect, socks5, relay])),
    socks5Ports: new Set(proxyPorts.map(({ socks5 }) => socks5)),
    relayUpstreams,
    mediaPorts,
    callPorts,
  };
}

async function createTopics(kafka: Kafka): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const compacted = [{ name: 'cleanup.policy', value: 'compact' }];
    const topics = [
      { topic: FLOW_TOPIC, numPartitions: PARTITIONS },
      // The engine would make it, and the dispatch server might come before its partitions have leaders.
      { topic: QUOTA_TOPIC, numPartitions: PARTITIONS, configEntries: compacted },
    ];
    await admin.createTopics({ topics, waitForLeaders: true });
  } finally {
    await admin.disconnect();
  }
}

async function startApplications(endings: Cleanups) {
  const relayUpstreams: Record<string, string> = {};
  const mediaPorts: Record<string, number> = {};
  const callPorts: Record<string, number> = {};
  for (const { applicationId } of APPLICATIONS) {
    const hub = new MessageHub();
    const media = new MediaHost();
    const calls = new CallHost();
    relayUpstreams[applicationId] = await hub.start('127.0.0.1');
    mediaPorts[applicationId] = await media.start('127.0.0.1');
    callPorts[applicationId] = await calls.start('127.0.0.1');
    endings.add(() => Promise.all([hub.stop(), media.stop(), calls.stop()]));
  }
  return { relayUpstreams, mediaPorts, callPorts };
}

async function proxyPortsFree(): Promise<Omit<ProxyPorts, 'host'>> {
  const [connect, socks5, relay, control] = [await freePort(), await freePort(), await freePort(), await freePort()];
  return { connect, socks5, relay, control };
}
