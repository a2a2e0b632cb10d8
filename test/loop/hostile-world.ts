import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import { dump } from 'js-yaml';
import { open } from 'lmdb';
import { Companion } from '../../src/development/companion.ts';
import { MessageHub } from '../../src/development/message-hub.ts';
import { freePort } from '../../src/development/servers/free-port.ts';
import type { Cleanups } from '../../src/platform/cleanups.ts';
import { parsePseudonymKey } from '../../src/platform/pseudonym-key.ts';

export const APPLICATION = 'chat';
export const ISSUER = 'operator';
export const KEY_ID = 'operator-key';
const PROXY_ID = 'proxy-1';
/** Nothing listens there. */
const AWAY = '127.0.0.1:9';

/** A dispatch server and a proxy, each in a process of its own, and an application behind the proxy. */
export interface HostileWorld {
  dispatchPort: number;
  ports: { connect: number; socks5: number; relay: number; control: number };
  echoPort: number;
  operatorSecret: string;
  proxySecret: string;
  operatorKey: KeyObject;
  dispatch: Companion;
  proxy: Companion;
}

/**
 * Starts the two as if they had run before: the dispatch server knows that no sponsor is suspended and no quota used, and neither
 * store nor brokers are there, so that nothing but what is attacked takes memory or time.
 */
export async function startHostileWorld(endings: Cleanups): Promise<HostileWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-hostile-'));
  endings.add(async (keep) => keep || rm(folder, { recursive: true, force: true }));
  const write = (name: string, text: string) => writeFile(join(folder, name), text, { mode: 0o600 });
  const secret = () => randomBytes(24).toString('hex');
  const [operatorSecret, proxySecret, pseudonymKey] = [secret(), secret(), randomBytes(32).toString('hex')];
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'EdDSA', use: 'sig' };
  await write('operator.jwks.json', JSON.stringify({ keys: [jwk] }));
  await write('catalogue.yaml', CATALOGUE);
  await write('operator.secret', operatorSecret);
  await write('proxy.secret', proxySecret);
  const dispatchPort = await freePort();
  const [connect, socks5, relay, control] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const ports = { connect, socks5, relay, control };
  const hub = new MessageHub();
  const relayUpstream = await hub.start('127.0.0.1');
  endings.add(() => hub.stop());
  const echo = await startEcho();
  endings.add(() => echo.stop());
  await write('dispatch.yaml', dump(dispatchDocument(dispatchPort, ports)));
  await write('proxy.yaml', dump(proxyDocument({ dispatchPort, ports, echoPort: echo.port, relayUpstream })));
  await seedDispatchStore(join(folder, 'dispatch-data'), pseudonymKey);
  const companion = (command: 'dispatch' | 'proxy', port: number, path: string) =>
    new Companion({
      command,
      config: join(folder, `${command}.yaml`),
      environment: { ZERORATE_PSEUDONYM_KEY: pseudonymKey },
      logFile: join(folder, `${command}.log`),
      readyUrl: `http://127.0.0.1:${port}${path}`,
    });
  // Store and brokers are away, so it is never ready, and works all the same.
  const dispatch = companion('dispatch', dispatchPort, '/health/live');
  const proxy = companion('proxy', control, '/health/ready');
  for (const each of [dispatch, proxy]) {
    endings.add(() => each.kill());
    await each.start();
  }
  return {
    ...{ dispatchPort, ports, echoPort: echo.port, operatorSecret, proxySecret, operatorKey: privateKey },
    ...{ dispatch, proxy },
  };
}

async function seedDispatchStore(directory: string, pseudonymKey: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  const root = open({ path: directory, maxDbs: 12, noSubdir: false });
  const facts = root.openDB<unknown, string>({ name: 'facts' });
  await root.transaction(() => {
    void facts.put('instanceId', 'hostile');
    void facts.put('suspendedSponsors', []);
    const states = parsePseudonymKey(pseudonymKey, 'key').history.map(({ fingerprint }) => fingerprint);
    void facts.put('pseudonymKeyStates', states);
  });
  await root.flushed;
  await root.close();
}

/** Sends back what it gets. */
async function startEcho(): Promise<{ port: number; stop: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const CATALOGUE = `
sponsors:
  - { id: acme, name: Acme, currency: EUR, creditLimit: "1000000" }
applications:
  - { id: ${APPLICATION}, sponsor: acme }
plans:
  - id: chat-all
    application: ${APPLICATION}
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { text: 10000, voice: 10000, image: 10000, video: 10000, other: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "1" }]
`;

const dispatchDocument = (port: number, ports: HostileWorld['ports']) => ({
  catalogue: 'catalogue.yaml',
  dataDir: 'dispatch-data',
  http: { port },
  kafka: { brokers: [AWAY] },
  store: { url: `http://${AWAY}` },
  operators: [{ issuer: ISSUER, jwksFile: 'operator.jwks.json' }],
  operatorSecretFile: 'operator.secret',
  proxies: {
    [PROXY_ID]: {
      secretFile: 'proxy.secret',
      controlUrl: `http://127.0.0.1:${ports.control}`,
      endpoints: {
        connect: `http://127.0.0.1:${ports.connect}`,
        socks5: `socks5://127.0.0.1:${ports.socks5}`,
        relay: `ws://127.0.0.1:${ports.relay}`,
      },
      applications: [APPLICATION],
    },
  },
  sessions: { tokenLifetimeMs: 60_000 },
  applications: { [APPLICATION]: { account: { way: 'development' } } },
  log: { level: 'warn' },
});

const proxyDocument = (place: {
  dispatchPort: number;
  ports: HostileWorld['ports'];
  echoPort: number;
  relayUpstream: string;
}) => ({
  proxyId: PROXY_ID,
  region: 'here',
  dataDir: 'proxy-data',
  listen: Object.fromEntries(Object.entries(place.ports).map(([name, port]) => [name, { host: '127.0.0.1', port }])),
  dispatch: { url: `http://127.0.0.1:${place.dispatchPort}`, secretFile: 'proxy.secret' },
  applications: [
    {
      applicationId: APPLICATION,
      relayUpstream: place.relayUpstream,
      hosts: [{ host: '127.0.0.1', ports: [place.echoPort], contentType: 'image' }],
      allowPrivate: ['127.0.0.0/8'],
    },
  ],
  statistics: { intervalMs: 2000 },
  log: { level: 'warn' },
});
