import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import { dump } from 'js-yaml';
import { CALL_CONTENT } from './call-content.ts';
import { ADDRESS_PROXY_IP, APPLICATIONS, type LoopApplication, loopCatalogue, SPONSORS } from './loop-plan.ts';

const KEY_ID = 'loop';
/** Of every sponsor's key. */
export const ACCOUNT_KEY_ID = 'accounts';
const ISSUER = 'loop-operator';

export interface ProxyPorts {
  /** Where it listens. */
  host: string;
  connect: number;
  socks5: number;
  relay: number;
  control: number;
}

export interface LoopPlace {
  folder: string;
  brokers: readonly string[];
  storeUrl: string;
  dispatchPort: number;
  gatewayPorts: { userPlane: number; control: number };
  proxyPorts: readonly ProxyPorts[];
  /** By application id. */
  relayUpstreams: Readonly<Record<string, string>>;
  mediaPorts: Readonly<Record<string, number>>;
  callPorts: Readonly<Record<string, number>>;
}

export interface LoopFiles {
  engine: string;
  dispatch: string;
  gateway: string;
  proxies: string[];
  operatorSecret: string;
  /** What sponsors sign account assertions with, by sponsor id. */
  accountKeys: Readonly<Record<string, KeyObject>>;
  environment: Readonly<Record<string, string>>;
}

export const FLOW_TOPIC = 'flow-records';
export const QUOTA_TOPIC = 'quota-updates';
export const DATABASE = 'zerorate';

/** Writes what every program of the loop is configured with. Each secret is new. */
export async function writeLoopFiles(place: LoopPlace): Promise<LoopFiles> {
  const { folder } = place;
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const secret = (name: string) => file(name, randomBytes(24).toString('hex'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  await file('operator-identity.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'EdDSA', use: 'sig' };
  await file('operator.jwks.json', JSON.stringify({ keys: [jwk] }));
  const accountKeys: Record<string, KeyObject> = {};
  for (const { id } of SPONSORS) {
    const pair = generateKeyPairSync('ed25519');
    accountKeys[id] = pair.privateKey;
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: ACCOUNT_KEY_ID, alg: 'EdDSA', use: 'sig' };
    await file(`${id}.jwks.json`, JSON.stringify({ keys: [jwk] }));
  }
  await file('catalogue.yaml', dump(loopCatalogue()));
  const operatorSecret = randomBytes(24).toString('hex');
  await file('operator.secret', operatorSecret);
  for (const [at] of place.proxyPorts.entries()) {
    await secret(`proxy-${at + 1}.secret`);
    await mkdir(join(folder, `proxy-${at + 1}`));
  }
  return {
    engine: await file('zerorate.yaml', dump(engineDocument(place))),
    dispatch: await file('dispatch.yaml', dump(dispatchDocument(place))),
    gateway: await file('gateway.yaml', dump(gatewayDocument(place))),
    proxies: await Promise.all(
      place.proxyPorts.map((_, at) => file(`proxy-${at + 1}.yaml`, dump(proxyDocument(place, at)))),
    ),
    operatorSecret,
    accountKeys,
    environment: { ZERORATE_PSEUDONYM_KEY: randomBytes(32).toString('hex') },
  };
}

function engineDocument({ brokers, storeUrl }: LoopPlace): object {
  return {
    catalogue: 'catalogue.yaml',
    source: { kafka: { brokers, topic: FLOW_TOPIC, groupId: 'loop', fetchWaitTimeoutMs: 100 } },
    store: { url: storeUrl, database: DATABASE },
    quotaUpdates: { topic: QUOTA_TOPIC },
    batch: { maxDelayMs: 200 },
    credit: { checkIntervalMs: 500 },
  };
}

function dispatchDocument({ brokers, storeUrl, dispatchPort, proxyPorts }: LoopPlace): object {
  return {
    catalogue: 'catalogue.yaml',
    dataDir: 'dispatch-data',
    http: { port: dispatchPort },
    kafka: { brokers, quotaUpdatesTopic: QUOTA_TOPIC },
    store: { url: storeUrl, database: DATABASE, checkIntervalMs: 500 },
    operators: [{ issuer: ISSUER, jwksFile: 'operator.jwks.json' }],
    operatorSecretFile: 'operator.secret',
    proxies: Object.fromEntries(
      proxyPorts.map(({ host, connect, socks5, relay, control }, at) => [
        `proxy-${at + 1}`,
        {
          secretFile: `proxy-${at + 1}.secret`,
          controlUrl: `http://${host}:${control}`,
          endpoints: {
            connect: `http://${host}:${connect}`,
            socks5: `socks5://${host}:${socks5}`,
            relay: `ws://${host}:${relay}`,
          },
          applications: applicationsAt(proxyPorts[at]).map(({ applicationId }) => applicationId),
        },
      ]),
    ),
    heartbeats: { intervalMs: 500, staleTimeoutMs: 3000 },
    sessions: { grantOctets: 150_000, tokenLifetimeMs: 60_000 },
    applications: Object.fromEntries(APPLICATIONS.map(({ applicationId, atCap }) => [applicationId, { atCap }])),
    rateLimits: { perSubscriber: { requests: 1000 }, perAddress: { requests: 1000 } },
    log: { level: 'warn' },
  };
}

function gatewayDocument({ brokers, gatewayPorts, proxyPorts, dispatchPort }: LoopPlace): object {
  return {
    nodeId: 'gateway-1',
    userPlane: { port: gatewayPorts.userPlane },
    control: { port: gatewayPorts.control },
    operatorSecretFile: 'operator.secret',
    terminalAddresses: '127.64.0.0/16',
    proxies: proxyPorts.map(({ host }, at) => ({
      proxyId: `proxy-${at + 1}`,
      secretFile: `proxy-${at + 1}.secret`,
      addresses: [host],
    })),
    terminalTags: {
      jwksUrl: `http://127.0.0.1:${dispatchPort}/.well-known/jwks.json`,
      applications: APPLICATIONS.filter(({ way }) => way === 'terminal_tag').map(({ applicationId, tag }) => ({
        applicationId,
        zeroRatingTag: tag,
      })),
    },
    identity: { issuer: ISSUER, keyId: KEY_ID, privateKeyFile: 'operator-identity.pem' },
    kafka: { brokers, topic: FLOW_TOPIC },
    spool: 'gateway-spool',
    partialRecords: { intervalMs: 1000, afterOctets: 262_144 },
    log: { level: 'warn' },
  };
}

function proxyDocument(place: LoopPlace, at: number): object {
  const ports = place.proxyPorts[at];
  const endpoint = (port: number) => ({ host: ports.host, port });
  return {
    proxyId: `proxy-${at + 1}`,
    region: `region-${at + 1}`,
    dataDir: `proxy-${at + 1}`,
    listen: {
      connect: endpoint(ports.connect),
      socks5: endpoint(ports.socks5),
      relay: endpoint(ports.relay),
      control: endpoint(ports.control),
    },
    dispatch: { url: `http://127.0.0.1:${place.dispatchPort}`, secretFile: `proxy-${at + 1}.secret` },
    gateway: { url: `http://127.0.0.1:${place.gatewayPorts.control}`, timeoutMs: 5000 },
    applications: applicationsAt(ports).map(({ applicationId, way, tag }) => ({
      applicationId,
      identifiedBy: [way],
      ...(way === 'proxy_mark' && { zeroRatingTag: tag }),
      relayUpstream: place.relayUpstreams[applicationId],
      hosts: [
        { host: '127.0.0.1', ports: [place.mediaPorts[applicationId]], contentType: 'image' },
        { host: '127.0.0.1', protocol: 'udp', ports: [place.callPorts[applicationId]], contentType: CALL_CONTENT },
      ],
      allowPrivate: ['127.0.0.0/8'],
    })),
    statistics: { intervalMs: 2000 },
    log: { level: 'warn' },
  };
}

/** A proxy with the address that is evidence serves the applications that it identifies, and no proxy else does. */
function applicationsAt({ host }: ProxyPorts): LoopApplication[] {
  return APPLICATIONS.filter(({ way }) => (way === 'proxy_address') === (host === ADDRESS_PROXY_IP));
}
