import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { ConfigError } from '../platform/config/config-error.ts';
import { packagePath } from '../platform/package-paths.ts';
import { developmentIssuerKey } from '../sessions/dispatch/accounts/development-issuer.ts';
import { fitFaults } from './dev-fit.ts';
import { DEV_FILE, type DevSettings, portOf, readDevSettings, type UsedPort, usedPorts } from './dev-settings.ts';
import { freePort } from './servers/free-port.ts';

const TEMPLATES = packagePath('fixtures/demo');
const FLOW_SCHEMA = packagePath('schemas/flow-record.avsc');

/** What differs from the examples: short intervals, so that the page shows at once what happens, and files of the folder itself. */
const CHANGES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'zerorate.yaml': [
    ['../../schemas/flow-record.avsc', FLOW_SCHEMA],
    ['# pseudonymKey: { file: /var/lib/zerorate/pseudonym.key }', 'pseudonymKey: { file: pseudonym.key }'],
  ],
  'dispatch.yaml': [
    ['# pseudonymKey: { file: /run/secrets/pseudonym-key }', 'pseudonymKey: { file: pseudonym.key }'],
    ['checkIntervalMs: 5000', 'checkIntervalMs: 1000'],
  ],
  'gateway.yaml': [['intervalMs: 5000', 'intervalMs: 2000']],
  'proxy.yaml': [['intervalMs: 60000 # usage', 'intervalMs: 5000 # usage']],
};

export interface DevFolderOptions {
  folder: string;
  /** Brokers that run already; absent: one is started. */
  brokers?: readonly string[];
  print: (text: string) => void;
}

/**
 * Writes the folder where there is none, with secrets and keys of its own (mode 0600) and ports that are free, and reads it. Rejects
 * with a ConfigError when its configurations have faults, do not fit together, or name ports that are in use.
 */
export async function openDevFolder(options: DevFolderOptions): Promise<DevSettings> {
  const { folder, brokers, print } = options;
  if (!existsSync(join(folder, DEV_FILE))) {
    const isEmpty = !existsSync(folder) || (await readdir(folder)).length === 0;
    if (!isEmpty) throw new ConfigError(`${folder} is not empty and has no ${DEV_FILE}: name another --directory`);
    await writeFolder(options);
    print(`wrote configurations, secrets and keys to ${folder}`);
  } else print(`starting from the configurations in ${folder}`);
  const settings = readDevSettings(folder);
  const own = settings.engine.source.kafka.brokers;
  if (brokers !== undefined && brokers.join() !== own.join()) {
    throw new ConfigError(
      `${folder} is of the brokers ${own.join(', ')}: leave --brokers out, or name another --directory`,
    );
  }
  const faults = fitFaults(settings, Date.now()).map((fault) => `${folder}: ${fault}`);
  if (faults.length > 0) throw new ConfigError(faults);
  await refusePortsInUse(settings);
  return settings;
}

async function refusePortsInUse(settings: DevSettings): Promise<void> {
  const faults: string[] = [];
  for (const used of usedPorts(settings)) {
    const { port, field } = used;
    if (await isFree(used)) continue;
    faults.push(
      `port ${port} is in use (${join(settings.folder, field)}): end the program that listens on it, or change the number in all files of ${settings.folder}`,
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
}

/** The folder appears whole or not at all. */
async function writeFolder({ folder, brokers, print }: DevFolderOptions): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const staging = `${folder}.${randomBytes(4).toString('hex')}`;
  await mkdir(staging, { mode: 0o700 });
  try {
    const names = (await readdir(TEMPLATES)).filter((name) => /\.(yaml|csv)$/.test(name));
    const ports = await freePorts(brokers !== undefined, print);
    // Topics of other people's brokers: a folder's own, so that no other folder's records are read.
    const external = brokers && { brokers, prefix: `zerorate-dev-${randomBytes(4).toString('hex')}` };
    for (const name of names) {
      const example = withPorts(await readFile(join(TEMPLATES, name), 'utf8'), ports);
      await writeFile(join(staging, name), adapted(name, example, external), { mode: 0o600 });
    }
    const secret = (name: string) => writeFile(join(staging, name), randomBytes(32).toString('hex'), { mode: 0o600 });
    await Promise.all(['operator.secret', 'proxy-1.secret', 'pseudonym.key'].map(secret));
    await developmentIssuerKey(join(staging, 'operator.key'));
    await mkdir(join(staging, 'logs'), { mode: 0o700 });
    if (existsSync(folder)) await rm(folder, { recursive: true });
    await rename(staging, folder);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
}

/** An example as the folder has it. Throws when an example no longer has what is changed. */
function adapted(
  name: string,
  example: string,
  external: { brokers: readonly string[]; prefix: string } | undefined,
): string {
  let text = example;
  for (const [from, to] of CHANGES[name] ?? []) {
    if (text.split(from).length !== 2) throw new Error(`fixtures/demo/${name} has "${from}" not once`);
    text = text.replace(from, to);
  }
  if (external === undefined) return text;
  return text
    .replaceAll('localhost:9092', external.brokers.join(', '))
    .replace('broker: own', 'broker: external')
    .replaceAll(
      /(topic|quotaUpdatesTopic): (flow-records|quota-updates)\b/gi,
      (_, field, topic) => `${field}: ${external.prefix}-${topic}`,
    );
}

/** For each port of the examples: itself while nothing listens on it, else a free one. */
async function freePorts(isExternal: boolean, print: (text: string) => void): Promise<Map<number, number>> {
  const examples = readDevSettings(TEMPLATES);
  const broker = portOf(examples.engine.source.kafka.brokers[0]);
  const ports = new Map<number, number>();
  for (const used of usedPorts(examples)) {
    const { port, field } = used;
    if (isExternal && port === broker) continue;
    const free = (await isFree(used)) ? port : await unusedPort(ports);
    if (free !== port) print(`port ${port} is in use: ${free} instead (${field})`);
    ports.set(port, free);
  }
  return ports;
}

async function unusedPort(ports: ReadonlyMap<number, number>): Promise<number> {
  const taken = new Set([...ports.keys(), ...ports.values()]);
  for (;;) {
    const port = await freePort();
    if (!taken.has(port)) return port;
  }
}

/** Every number of the examples that is a port has that meaning only. */
export function withPorts(text: string, ports: ReadonlyMap<number, number>): string {
  return text.replaceAll(/(?<![\w.])\d{4,5}(?![\w.])/g, (digits) => String(ports.get(Number(digits)) ?? digits));
}

/** Whether a program could listen on the port of the loopback interface, and none does on all interfaces. */
async function isFree({ port, protocol }: UsedPort): Promise<boolean> {
  if (protocol === 'udp') return isUdpFree(port);
  const canListen = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  if (!canListen) return false;
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}
