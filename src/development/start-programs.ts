import { join } from 'node:path';
import type { Kafka } from 'kafkajs';
import type { Cleanups } from '../platform/cleanups.ts';
import { Companion, type CompanionOptions } from './companion.ts';

const PARTITIONS = 4;

/** A program's configuration, and where it answers `/health/ready`. */
interface ProgramConfig {
  config: string;
  readyPort?: number;
  /** Absent: 127.0.0.1. */
  readyHost?: string;
}

export interface ProgramsOptions {
  /** For what the programs log. */
  logFolder: string;
  environment: Readonly<Record<string, string>>;
  engine: ProgramConfig;
  gateway: ProgramConfig;
  dispatch: ProgramConfig;
  proxies: readonly ProgramConfig[];
  /** How each ends when `endings` run. */
  end: 'stop' | 'kill';
  onStarting?: (name: string) => void;
}

export interface Programs {
  engine: Companion;
  gateway: Companion;
  dispatch: Companion;
  proxies: Companion[];
}

/**
 * Starts engine, gateway, dispatch server and proxies. They end with `endings` in the order in which octets travel: proxies, gateway,
 * dispatch server, engine.
 */
export async function startPrograms(options: ProgramsOptions, endings: Cleanups): Promise<Programs> {
  const { logFolder, environment, end, onStarting = () => {} } = options;
  const program = (
    command: CompanionOptions['command'],
    name: string,
    { config, readyPort, readyHost = '127.0.0.1' }: ProgramConfig,
  ) => {
    const companion = new Companion({
      command,
      config,
      environment:
        command === 'run' && readyPort !== undefined
          ? { ...environment, ZERORATE_HEALTH_PORT: String(readyPort), ZERORATE_HEALTH_HOST: '127.0.0.1' }
          : environment,
      logFile: join(logFolder, `${name}.log`),
      ...(readyPort !== undefined && { readyUrl: `http://${readyHost}:${readyPort}/health/ready` }),
    });
    endings.add(() => (end === 'stop' ? companion.stop() : companion.kill()));
    return companion;
  };
  const engine = program('run', 'engine', options.engine);
  const dispatch = program('dispatch', 'dispatch', options.dispatch);
  const gateway = program('gateway', 'gateway', options.gateway);
  const proxies = options.proxies.map((proxy, at) => program('proxy', `proxy-${at + 1}`, proxy));
  // The engine makes the tables that the dispatch server reads.
  onStarting('engine');
  await engine.start();
  onStarting('gateway, dispatch server, proxy');
  await gateway.start();
  await dispatch.start();
  await Promise.all(proxies.map((proxy) => proxy.start()));
  return { engine, dispatch, gateway, proxies };
}

/** Makes the topics of flow records and quota updates, where they are not there. */
export async function createTopics(kafka: Kafka, flowRecords: string, quotaUpdates: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const compacted = [{ name: 'cleanup.policy', value: 'compact' }];
    const topics = [
      { topic: flowRecords, numPartitions: PARTITIONS },
      // The engine would make it, and the dispatch server might come before its partitions have leaders.
      { topic: quotaUpdates, numPartitions: PARTITIONS, configEntries: compacted },
    ];
    await admin.createTopics({ topics, waitForLeaders: true });
  } finally {
    await admin.disconnect();
  }
}
