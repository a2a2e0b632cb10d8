import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kafka } from 'kafkajs';
import { CallHost } from '../../src/development/call-host.ts';
import type { Companion } from '../../src/development/companion.ts';
import { MediaHost } from '../../src/development/media-host.ts';
import { MessageHub } from '../../src/development/message-hub.ts';
import { startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';
import { freePort } from '../../src/development/servers/free-port.ts';
import { createTopics, startPrograms } from '../../src/development/start-programs.ts';
import type { Cleanups } from '../../src/platform/cleanups.ts';
import { createKafka } from '../../src/platform/kafka/kafka.ts';
import { type KafkaServer, startKafka } from '../servers/kafka-server.ts';
import { FLOW_TOPIC, type LoopFiles, type ProxyPorts, QUOTA_TOPIC, writeLoopFiles } from './loop-files.ts';
import { ADDRESS_PROXY_IP, APPLICATIONS } from './loop-plan.ts';

/** Two in regions of their own, and one whose address is the evidence. */
const PROXY_HOSTS = ['127.0.0.1', '127.0.0.1', ADDRESS_PROXY_IP];

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
  await createTopics(kafka, FLOW_TOPIC, QUOTA_TOPIC);
  const store = await startClickHouseProcess({ path: join(folder, 'clickhouse') });
  endings.add(() => store.stop());
  const { relayUpstreams, mediaPorts, callPorts } = await startApplications(endings);

  const proxyPorts: ProxyPorts[] = [];
  for (const host of PROXY_HOSTS) proxyPorts.push({ host, ...(await proxyPortsFree()) });
  const dispatchPort = await freePort();
  const gatewayPorts = { userPlane: await freePort(), control: await freePort() };
  const place = { folder, brokers: broker.brokers, storeUrl: store.url, dispatchPort, gatewayPorts, proxyPorts };
  const files = await writeLoopFiles({ ...place, relayUpstreams, mediaPorts, callPorts });
  const programs = await startPrograms(
    {
      logFolder: folder,
      environment: files.environment,
      engine: { config: files.engine, readyPort: await freePort() },
      gateway: { config: files.gateway, readyPort: gatewayPorts.control },
      dispatch: { config: files.dispatch, readyPort: dispatchPort },
      proxies: files.proxies.map((config, at) => ({
        config,
        readyPort: proxyPorts[at].control,
        readyHost: proxyPorts[at].host,
      })),
      end: 'kill',
    },
    endings,
  );
  return {
    ...{ folder, files, kafka, broker, storeUrl: store.url, ...programs },
    dispatchUrl: `http://127.0.0.1:${dispatchPort}`,
    gatewayUrl: `http://127.0.0.1:${gatewayPorts.control}`,
    terminalPorts: new Set(proxyPorts.flatMap(({ connect, socks5, relay }) => [connect, socks5, relay])),
    socks5Ports: new Set(proxyPorts.map(({ socks5 }) => socks5)),
    relayUpstreams,
    mediaPorts,
    callPorts,
  };
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
