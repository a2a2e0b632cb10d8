import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cleanups } from '../platform/cleanups.ts';
import { createKafka } from '../platform/kafka/kafka.ts';
import { parsePseudonymKey } from '../platform/pseudonym-key.ts';
import { PseudonymKey } from '../rating/subscribers.ts';
import { CallHost } from './call-host.ts';
import {
  applicationOf,
  type DevSettings,
  isLoopback,
  localPorts,
  PROGRAM_FILES,
  portOf,
  readSecret,
} from './dev-settings.ts';
import { DevTerminal } from './dev-terminal.ts';
import { MediaHost } from './media-host.ts';
import { MessageHub } from './message-hub.ts';
import { startClickHouseProcess } from './servers/clickhouse-process.ts';
import { freePort } from './servers/free-port.ts';
import { awaitKafka } from './servers/kafka-ready.ts';
import { startOwnBroker } from './start-broker.ts';
import { createTopics, type Programs, startPrograms } from './start-programs.ts';

/** Everything that `zerorate dev` runs. */
export interface DevWorld {
  settings: DevSettings;
  programs: Programs;
  terminals: DevTerminal[];
  storeUrl: string;
  /** Null without a key in a file: then charges are not shown by terminal. */
  pseudonymKey: PseudonymKey | null;
}

/** Starts all of it. What was started ends with `endings`, in reverse order, however far it came. */
export async function startDevWorld(
  settings: DevSettings,
  endings: Cleanups,
  print: (text: string) => void,
): Promise<DevWorld> {
  const { folder, engine, dispatch, gateway, proxy } = settings;
  const logFolder = join(folder, 'logs');
  await mkdir(logFolder, { recursive: true, mode: 0o700 });
  await startKafka(settings, endings, print);
  print('starting the store');
  const storePath = join(folder, 'store');
  await mkdir(storePath, { recursive: true, mode: 0o700 });
  const store = await startClickHouseProcess({ path: storePath, port: portOf(engine.store.url) });
  endings.add(() => store.stop());
  const media = await startApplication(settings, endings);
  const config = (name: keyof typeof PROGRAM_FILES) => join(folder, PROGRAM_FILES[name]);
  const programs = await startPrograms(
    {
      logFolder,
      environment: {},
      engine: { config: config('run'), readyPort: await freePort() },
      dispatch: { config: config('dispatch'), readyPort: dispatch.http.port },
      gateway: { config: config('gateway'), readyPort: gateway.control.port },
      proxies: [{ config: config('proxy'), readyPort: proxy.listen.control.port }],
      end: 'stop',
      onStarting: (name) => print(`starting ${name}`),
    },
    endings,
  );
  const terminals = await startTerminals(settings, media, endings);
  const keyFile = engine.pseudonymKey?.file;
  const key = keyFile === undefined ? null : parsePseudonymKey(readSecret(folder, keyFile), keyFile);
  return {
    settings,
    programs,
    terminals,
    storeUrl: store.url,
    pseudonymKey: key && new PseudonymKey(key.generations),
  };
}

async function startKafka(
  { folder, dev, engine }: DevSettings,
  endings: Cleanups,
  print: (text: string) => void,
): Promise<void> {
  const { brokers, topic } = engine.source.kafka;
  if (dev.broker === 'own') {
    print('starting a Kafka broker (the first time Maven downloads it, about 120 MB)');
    const kafkaFolder = join(folder, 'kafka');
    await mkdir(kafkaFolder, { recursive: true, mode: 0o700 });
    const broker = await startOwnBroker(kafkaFolder, portOf(brokers[0]));
    endings.add(() => broker.stop());
  } else {
    print(`waiting for Kafka at ${brokers.join(', ')}`);
    await awaitKafka(brokers);
  }
  await createTopics(createKafka({ brokers, clientId: 'zerorate-dev' }), topic, engine.quotaUpdates.topic);
}

/** The application's message server and its hosts for files and calls. Resolves with the URL of the one for files. */
async function startApplication(settings: DevSettings, endings: Cleanups): Promise<string> {
  const application = applicationOf(settings);
  const host = application?.hosts.find((each) => isLoopback(each.host) && each.protocol === 'tcp');
  const hub = new MessageHub();
  await hub.start('127.0.0.1', portOf(application?.relayUpstream ?? ''));
  endings.add(() => hub.stop());
  const media = new MediaHost();
  const port = await media.start('127.0.0.1', host?.ports?.[0]);
  endings.add(() => media.stop());
  const [callPort] = localPorts(settings, 'udp');
  if (callPort !== undefined) {
    const calls = new CallHost();
    await calls.start('127.0.0.1', callPort);
    endings.add(() => calls.stop());
  }
  return `http://${host?.host}:${port}`;
}

async function startTerminals(settings: DevSettings, mediaUrl: string, endings: Cleanups): Promise<DevTerminal[]> {
  const { folder, dev, dispatch, gateway } = settings;
  const terminals = dev.terminals.map(
    (subscriber) =>
      new DevTerminal({
        ...subscriber,
        applicationId: dev.application,
        gateway: {
          controlUrl: `http://127.0.0.1:${gateway.control.port}`,
          secret: readSecret(folder, gateway.operatorSecretFile),
        },
        dispatchUrl: `http://127.0.0.1:${dispatch.http.port}`,
        messageUrl: applicationOf(settings)?.relayUpstream ?? '',
        mediaUrl,
      }),
  );
  for (const terminal of terminals) {
    endings.add(() => terminal.stop());
    await terminal.start();
  }
  return terminals;
}
