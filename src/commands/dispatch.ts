import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { JWTVerifyGetKey } from 'jose';
import type { Catalogue } from '../billing/catalogue.ts';
import { PseudonymKey } from '../billing/pseudonym.ts';
import { quotaUpdateCodec } from '../billing/quota-update.ts';
import { Accounts, readAccounts } from '../dispatch/accounts.ts';
import { type DispatchConfig, readDispatchConfig } from '../dispatch/dispatch-config.ts';
import { DispatchServer } from '../dispatch/dispatch-server.ts';
import { operatorVerifier } from '../dispatch/operator-keys.ts';
import { type ControlPin, httpProxyControl } from '../dispatch/proxy-control.ts';
import type { ProxyPin } from '../dispatch/proxy-registry.ts';
import { readKeySet, remoteKeySet } from '../dispatch/read-key-set.ts';
import { systemClock } from '../platform/clock.ts';
import { ConfigError } from '../platform/config-error.ts';
import { onReloadSignal, onStopSignal } from '../platform/lifecycle.ts';
import { createLogger, type Logger } from '../platform/logger.ts';
import { parsePseudonymKey } from '../platform/pseudonym-key.ts';
import { openServerStore } from '../platform/server-store.ts';
import type { Store } from '../platform/store.ts';
import { readSuspensionFacts } from '../platform/suspension-facts.ts';
import { suggestion } from '../yaml-document/nearest-word.ts';
import { quotaUpdateSchema } from './assemble-source.ts';
import { connect } from './kafka-connection.ts';
import { readCatalogue } from './read-config.ts';

const STOP_GRACE_MS = 10_000;
const STORE_TIMEOUT_MS = 5000;
const DAY_MS = 86_400_000;

export function registerDispatch(program: Command): void {
  program
    .command('dispatch')
    .description('run a dispatch server: gives entitled terminals a proxy and a token, and keeps what proxies report')
    .requiredOption('-c, --config <file>', 'the configuration, dispatch.yaml')
    .option('--check', 'only check the configuration and its catalogue')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate dispatch --config fixtures/demo/dispatch.yaml --check
  $ zerorate dispatch --config dispatch.yaml

Its interface is described at /documentation. Secrets come from files that the configuration names, or from ZERORATE_OPERATOR_SECRET,
ZERORATE_PSEUDONYM_KEY and ZERORATE_STORE_PASSWORD; each proxy's own from the file or variable that the configuration names for it.`,
    )
    .action(async ({ config: file, check = false }: { config: string; check?: boolean }) => {
      const config = readDispatchConfig(file, process.env);
      const catalogue = readCatalogue(config.catalogue);
      checkApplications(config, catalogue, file);
      const keys = operatorKeys(config);
      const logger = createLogger(config.log);
      const accounts = readAccounts({ config, clock: systemClock, logger }, catalogue);
      warnOfDevelopment(config);
      if (check) process.stdout.write(`${file}: ${Object.keys(config.proxies).length} proxies; it is good\n`);
      else await run({ config, catalogue, keys, accounts: new Accounts(accounts, logger), logger });
    });
}

interface DispatchParts {
  config: DispatchConfig;
  catalogue: Catalogue;
  keys: ReadonlyMap<string, JWTVerifyGetKey>;
  accounts: Accounts;
  logger: Logger;
}

async function run(parts: DispatchParts): Promise<void> {
  const { config } = parts;
  const { url, database, username } = config.store;
  const password = config.secrets.storePassword?.reveal() ?? '';
  const store = await openServerStore(
    { url, database, username, password, requestTimeoutMs: STORE_TIMEOUT_MS },
    { create: false, readOnly: true },
  );
  const server = new DispatchServer(serverOptions(parts, store));
  const forget = onReloadSignal(() => reloadAccounts(parts));
  try {
    await server.start();
    process.stdout.write(`dispatching at port ${server.port} until it is stopped (Ctrl+C)\n`);
    await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
    await server.stop();
  } finally {
    forget();
    await store.close();
  }
}

/** Reads key sets and registries of accounts again. With a fault in one, those of before are used further. */
function reloadAccounts({ config, catalogue, accounts, logger }: DispatchParts): void {
  try {
    accounts.take(readAccounts({ config, clock: systemClock, logger }, catalogue, accounts.byApplication));
    logger.info('read the key sets and registries of accounts again');
  } catch (error) {
    logger.error({ err: error }, 'key sets and registries of accounts are not reloaded; the ones read before are used');
  }
}

function serverOptions({ config, catalogue, keys, accounts, logger }: DispatchParts, store: Store) {
  const { secrets, kafka, sessions, heartbeats, applications, http } = config;
  const { everyMs, announceTimeoutMs, freshForMs, silentAfterMs, warnClockSkewMs, maxClockSkewMs } = heartbeats;
  const { grantOctets, atCap, tokenSeconds, idleAfterMs, settleAfterMs, maxPerSubscriber, overshootOctets } = sessions;
  const tokenMs = tokenSeconds * 1000;
  const proxies = proxyPins(config);
  const codec = quotaUpdateCodec(quotaUpdateSchema(), kafka.schemaId);
  const client = connect({ ...kafka, sasl: saslOf(config) }, logger);
  return {
    catalogue,
    dataDir: config.dataDir,
    host: http.host,
    port: http.port,
    trustedProxies: http.trustedProxies,
    tls: http.tls && tlsOf(http.tls),
    clock: systemClock,
    random: Math.random,
    pseudonymKey: new PseudonymKey(parsePseudonymKey(secrets.pseudonymKey.reveal(), 'pseudonymKey').generations),
    identity: operatorVerifier(keys),
    accounts,
    control: httpProxyControl(proxies, announceTimeoutMs),
    proxies,
    operatorSecret: secrets.operator.reveal(),
    termsOf: (applicationId: string) => ({
      grantOctets: applications[applicationId]?.grantOctets ?? grantOctets,
      atCap: applications[applicationId]?.atCap ?? atCap,
    }),
    patience: { tokenMs, freshForMs, silentAfterMs, idleAfterMs, settleAfterMs, warnClockSkewMs, maxClockSkewMs },
    limits: { perSubscriber: maxPerSubscriber, overshootOctets },
    heartbeatEveryMs: everyMs,
    rateLimits: config.rateLimits,
    rotateKeysEveryMs: config.keys.rotateEverySeconds * 1000,
    retainMs: config.retainDays * DAY_MS,
    quotaUpdates: { kafka: client, topic: kafka.quotaUpdatesTopic, decode: codec.decode },
    suspensions: { read: () => readSuspensionFacts(store), everyMs: config.store.checkEveryMs },
    logger,
  };
}

function proxyPins({ proxies, secrets }: DispatchConfig): Map<string, ProxyPin & ControlPin> {
  return new Map(
    Object.entries(proxies).map(([id, { controlUrl, controlCaFile, endpoints, applications, clientCertificate }]) => {
      const secret = secrets.proxies.get(id);
      if (secret === undefined) throw new Error(`proxy ${id} has no secret`);
      const pinned = { secret, controlUrl, controlCaFile, endpoints };
      return [id, { ...pinned, applicationIds: applications, clientCertificate: clientCertificate ?? null }];
    }),
  );
}

function tlsOf({ cert, key, clientCaFile }: NonNullable<DispatchConfig['http']['tls']>) {
  const own = { cert: readPem(cert), key: readPem(key) };
  // Terminals have no certificate: who has one is asked where one is needed.
  const ofClients = (file: string) => ({ ca: readPem(file), requestCert: true, rejectUnauthorized: false }) as const;
  return clientCaFile === undefined ? own : { ...own, ...ofClients(clientCaFile) };
}

function saslOf({ kafka: { sasl }, secrets: { saslPassword } }: DispatchConfig) {
  if (sasl === undefined) return null;
  if (saslPassword === null)
    throw new ConfigError('kafka.sasl: no password: set ZERORATE_KAFKA_SASL_PASSWORD or passwordFile');
  return { mechanism: sasl.mechanism, username: sasl.username, password: saslPassword };
}

/** On standard error, whatever the log's level is. */
function warnOfDevelopment({ applications }: DispatchConfig): void {
  const ids = Object.keys(applications).filter((id) => applications[id]?.account?.way === 'development');
  if (ids.length === 0) return;
  process.stderr.write(
    `WARNING: accounts of ${ids.join(', ')} are NOT VERIFIED (applications.<id>.account.way development): every terminal can take the ` +
      'messages of every account. Configure assertion, callback or registry before any subscriber uses this server.\n',
  );
}

function operatorKeys({ operators }: DispatchConfig): Map<string, JWTVerifyGetKey> {
  return new Map(
    operators.map(({ issuer, jwksFile, jwksUrl }): [string, JWTVerifyGetKey] => [
      issuer,
      jwksUrl === undefined ? readKeySet(jwksFile ?? '') : remoteKeySet(jwksUrl),
    ]),
  );
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`);
  }
}

function checkApplications({ applications, proxies }: DispatchConfig, catalogue: Catalogue, file: string): void {
  const ids = catalogue.applications.map(({ id }) => id);
  const named: [place: string, id: string][] = [
    ...Object.keys(applications).map((id): [string, string] => [`applications.${id}`, id]),
    ...Object.entries(proxies).flatMap(([proxyId, proxy]) =>
      proxy.applications.map((id): [string, string] => [`proxies.${proxyId}.applications: ${id}`, id]),
    ),
  ];
  const unknown = named.filter(([, id]) => !ids.includes(id));
  const faults = unknown.map(([place, id]) => `${file}: ${place}: the catalogue has no such one${suggestion(id, ids)}`);
  if (faults.length > 0) throw new ConfigError(faults);
}
