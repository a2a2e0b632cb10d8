import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { readConfigDocument } from '../platform/config/config-document.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { tagSchema } from '../rating/catalogue/claim-document.ts';
import { E164 } from '../rating/record/msisdn.ts';

export const DEV_FILE = 'dev.yaml';
/** What each program is configured with, by its command. */
export const PROGRAM_FILES = {
  run: 'zerorate.yaml',
  dispatch: 'dispatch.yaml',
  gateway: 'gateway.yaml',
  proxy: 'proxy.yaml',
} as const;
const CATALOGUE_FILE = 'catalogue.yaml';

const port = z.int().min(1).max(65_535);
const endpoint = z.object({ port });
const brokers = z.array(z.string().regex(/^.+:\d{1,5}$/, { error: 'expected host:port' })).min(1);

const devSchema = z.strictObject({
  page: z.strictObject({ port }),
  broker: z.enum(['own', 'external']),
  application: z.string().min(1),
  terminals: z
    .array(z.strictObject({ account: z.string().min(1).max(255), msisdn: z.string().regex(E164) }))
    .length(2, { error: 'expected two terminals' }),
});

// Of the programs' configurations only what others must agree with: each program checks its own whole.
const engineSchema = z.object({
  catalogue: z.string(),
  source: z.object({ kafka: z.object({ brokers, topic: z.string() }) }),
  store: z.object({ url: z.url(), database: z.string() }),
  quotaUpdates: z.object({ topic: z.string() }),
  pseudonymKey: z.object({ file: z.string() }).optional(),
});
const dispatchSchema = z.object({
  catalogue: z.string(),
  http: endpoint,
  kafka: z.object({ brokers, quotaUpdatesTopic: z.string() }),
  store: z.object({ url: z.url(), database: z.string() }),
  operators: z.array(z.object({ issuer: z.string(), jwksFile: z.string().optional() })),
  operatorSecretFile: z.string().optional(),
  proxies: z.record(
    z.string(),
    z.object({
      secretFile: z.string().optional(),
      controlUrl: z.url().optional(),
      endpoints: z.object({ connect: z.url(), socks5: z.url(), relay: z.url() }).partial().optional(),
      applications: z.array(z.string()).optional(),
    }),
  ),
  applications: z
    .record(z.string(), z.object({ account: z.object({ way: z.string().optional() }).optional() }))
    .default({}),
  pseudonymKey: z.object({ file: z.string() }).optional(),
});
const gatewaySchema = z.object({
  userPlane: endpoint,
  control: endpoint,
  operatorSecretFile: z.string(),
  proxies: z.array(z.object({ proxyId: z.string(), secretFile: z.string() })),
  identity: z.object({ issuer: z.string(), keyId: z.string(), privateKeyFile: z.string() }),
  kafka: z.object({ brokers, topic: z.string() }),
});
const proxySchema = z.object({
  proxyId: z.string(),
  listen: z.object({ connect: endpoint, socks5: endpoint, relay: endpoint, control: endpoint }),
  dispatch: z.object({ url: z.url(), secretFile: z.string().optional() }),
  gateway: z.object({ url: z.url() }).optional(),
  applications: z.array(
    z.object({
      applicationId: z.string(),
      zeroRatingTag: z.string().optional(),
      relayUpstream: z.url().optional(),
      hosts: z
        .array(
          z.object({
            host: z.string(),
            protocol: z.enum(['tcp', 'udp']).default('tcp'),
            ports: z.array(port).optional(),
          }),
        )
        .default([]),
    }),
  ),
});
const catalogueSchema = z.object({
  applications: z.array(z.object({ id: z.string(), tags: z.array(tagSchema) })),
});

/** The configurations of a folder, as far as they concern one another. */
export interface DevSettings {
  folder: string;
  dev: z.output<typeof devSchema>;
  engine: z.output<typeof engineSchema>;
  dispatch: z.output<typeof dispatchSchema>;
  gateway: z.output<typeof gatewaySchema>;
  proxy: z.output<typeof proxySchema>;
  catalogue: z.output<typeof catalogueSchema>;
}

/** Reads the configurations of a folder. Throws a ConfigError with a line for each fault of their shape. */
export function readDevSettings(folder: string): DevSettings {
  const faults: string[] = [];
  const read = <T>(name: string, schema: z.ZodType<T>): T => {
    try {
      return readConfigDocument(join(folder, name), schema).value;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(error.message);
      return undefined as T;
    }
  };
  const settings = {
    folder,
    dev: read(DEV_FILE, devSchema),
    engine: read(PROGRAM_FILES.run, engineSchema),
    dispatch: read(PROGRAM_FILES.dispatch, dispatchSchema),
    gateway: read(PROGRAM_FILES.gateway, gatewaySchema),
    proxy: read(PROGRAM_FILES.proxy, proxySchema),
    catalogue: read(CATALOGUE_FILE, catalogueSchema),
  };
  if (faults.length > 0) throw new ConfigError(faults);
  return settings;
}

/** The application of the terminals, as the proxy has it. */
export function applicationOf({ proxy, dev }: DevSettings) {
  return proxy.applications.find(({ applicationId }) => applicationId === dev.application);
}

/** Ports of the application's hosts on this machine, of files or of calls: the first of each is served. */
export function localPorts(settings: DevSettings, protocol: 'tcp' | 'udp'): number[] {
  const hosts = applicationOf(settings)?.hosts ?? [];
  return hosts.flatMap((each) => (isLoopback(each.host) && each.protocol === protocol ? (each.ports ?? []) : []));
}

/** Port of a URL or of `host:port`. */
export function portOf(address: string): number {
  const { port: written, protocol } = new URL(address.includes('://') ? address : `tcp://${address}`);
  return written === '' ? (protocol === 'https:' || protocol === 'wss:' ? 443 : 80) : Number(written);
}

/** A port that a program of the folder listens on, and the field that names it. */
export interface UsedPort {
  port: number;
  field: string;
  protocol?: 'udp';
}

/** Every port that is listened on when the folder's programs run, each once. */
export function usedPorts(settings: DevSettings): UsedPort[] {
  const { dev, engine, dispatch, gateway, proxy } = settings;
  const application = applicationOf(settings);
  const hostsField = `proxy.yaml: applications, hosts of ${dev.application}`;
  const ports: UsedPort[] = [
    { port: dev.page.port, field: 'dev.yaml: page.port' },
    { port: portOf(engine.store.url), field: 'zerorate.yaml: store.url' },
    { port: dispatch.http.port, field: 'dispatch.yaml: http.port' },
    { port: gateway.userPlane.port, field: 'gateway.yaml: userPlane.port' },
    { port: gateway.control.port, field: 'gateway.yaml: control.port' },
    ...Object.entries(proxy.listen).map(([name, listen]) => ({
      port: listen.port,
      field: `proxy.yaml: listen.${name}.port`,
    })),
    ...localPorts(settings, 'tcp')
      .slice(0, 1)
      .map((each) => ({ port: each, field: hostsField })),
    ...localPorts(settings, 'udp')
      .slice(0, 1)
      .map((each) => ({ port: each, field: hostsField, protocol: 'udp' as const })),
  ];
  if (dev.broker === 'own') {
    ports.push({ port: portOf(engine.source.kafka.brokers[0]), field: 'zerorate.yaml: source.kafka.brokers' });
  }
  if (application?.relayUpstream !== undefined) {
    ports.push({
      port: portOf(application.relayUpstream),
      field: `proxy.yaml: applications, relayUpstream of ${dev.application}`,
    });
  }
  return ports;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '127.0.0.1';
}

export function readSecret(folder: string, file: string): string {
  return readFileSync(join(folder, file), 'utf8').trim();
}
