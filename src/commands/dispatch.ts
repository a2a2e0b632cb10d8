import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { Catalogue } from '../billing/catalogue.ts';
import { PseudonymKey } from '../billing/pseudonym.ts';
import { quotaUpdateCodec } from '../billing/quota-update.ts';
import { atCapFaults } from '../dispatch/at-cap-faults.ts';
import { type DispatchConfig, readDispatchConfig } from '../dispatch/dispatch-config.ts';
import { DispatchServer } from '../dispatch/dispatch-server.ts';
import { operatorVerifier } from '../dispatch/operator-keys.ts';
import { httpProxyControl } from '../dispatch/proxy-control.ts';
import { systemClock } from '../platform/clock.ts';
import { ConfigError } from '../platform/config-error.ts';
import { onStopSignal } from '../platform/lifecycle.ts';
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
ZERORATE_PROXY_SECRET, ZERORATE_PSEUDONYM_KEY and ZERORATE_STORE_PASSWORD.`,
    )
    .action(async ({ config: file, check = false }: { config: string; check?: boolean }) => {
      const config = readDispatchConfig(file, process.env);
      const catalogue = readCatalogue(config.catalogue);
      checkApplications(config, catalogue, file);
      const keys = operatorKeys(config);
      if (check) process.stdout.write(`${file}: ${Object.keys(config.proxies).length} proxies; it is good\n`);
      else await run(config, catalogue, keys);
    });
}

async function run(
  config: DispatchConfig,
  catalogue: Catalogue,
  keys: ReadonlyMap<string, JWTVerifyGetKey>,
): Promise<void> {
  const logger = createLogger(config.log);
  const { url, database, username } = config.store;
  const password = config.secrets.storePassword?.reveal() ?? '';
  const store = await openServerStore(
    { url, database, username, password, requestTimeoutMs: STORE_TIMEOUT_MS },
    { create: false, readOnly: true },
  );
  const server = new DispatchServer(serverOptions(config, catalogue, keys, store, logger));
  try {
    await server.start();
    process.stdout.write(`dispatching at port ${server.port} until it is stopped (Ctrl+C)\n`);
    await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
    await server.stop();
  } finally {
    await store.close();
  }
}

function serverOptions(
  config: DispatchConfig,
  catalogue: Catalogue,
  keys: ReadonlyMap<string, JWTVerifyGetKey>,
  store: Store,
  logger: Logger,
) {
  const { secrets, kafka, sessions, heartbeats, applications, http } = config;
  const { everyMs, announceTimeoutMs, freshForMs, silentAfterMs } = heartbeats;
  const { grantOctets, atCap, tokenSeconds, idleAfterMs, settleAfterMs } = sessions;
  const proxySecrets = new Map([...secrets.proxies].map(([id, secret]) => [id, secret.reveal()]));
  const codec = quotaUpdateCodec(quotaUpdateSchema(), kafka.schemaId);
  const client = connect({ ...kafka, sasl: saslOf(config) }, logger);
  return {
    catalogue,
    dataDir: config.dataDir,
    host: http.host,
    port: http.port,
    trustedProxies: http.trustedProxies,
    tls: http.tls && { cert: readPem(http.tls.cert), key: readPem(http.tls.key) },
    clock: systemClock,
    random: Math.random,
    pseudonymKey: new PseudonymKey(parsePseudonymKey(secrets.pseudonymKey.reveal(), 'pseudonymKey').generations),
    identity: operatorVerifier(keys),
    control: httpProxyControl((id) => proxySecrets.get(id) ?? '', announceTimeoutMs),
    proxySecrets,
    operatorSecret: secrets.operator.reveal(),
    termsOf: (applicationId: string) => ({
      grantOctets: applications[applicationId]?.grantOctets ?? grantOctets,
      atCap: applications[applicationId]?.atCap ?? atCap,
    }),
    patience: { tokenMs: tokenSeconds * 1000, freshForMs, silentAfterMs, idleAfterMs, settleAfterMs },
    heartbeatEveryMs: everyMs,
    rateLimits: config.rateLimits,
    rotateKeysEveryMs: config.keys.rotateEverySeconds * 1000,
    retainMs: config.retainDays * DAY_MS,
    quotaUpdates: { kafka: client, topic: kafka.quotaUpdatesTopic, decode: codec.decode },
    suspensions: { read: () => readSuspensionFacts(store), everyMs: config.store.checkEveryMs },
    logger,
  };
}

function saslOf({ kafka: { sasl }, secrets: { saslPassword } }: DispatchConfig) {
  if (sasl === undefined) return null;
  if (saslPassword === null)
    throw new ConfigError('kafka.sasl: no password: set ZERORATE_KAFKA_SASL_PASSWORD or passwordFile');
  return { mechanism: sasl.mechanism, username: sasl.username, password: saslPassword };
}

function operatorKeys({ operators }: DispatchConfig): Map<string, JWTVerifyGetKey> {
  return new Map(
    operators.map(({ issuer, jwksFile, jwksUrl }): [string, JWTVerifyGetKey] => [
      issuer,
      jwksUrl === undefined ? localKeys(jwksFile ?? '') : createRemoteJWKSet(new URL(jwksUrl)),
    ]),
  );
}

function localKeys(file: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(file, 'utf8')) as JSONWebKeySet);
  } catch (error) {
    throw new ConfigError(`${file}: expected a JSON Web Key Set of an operator: ${(error as Error).message}`);
  }
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`);
  }
}

function checkApplications({ applications, sessions }: DispatchConfig, catalogue: Catalogue, file: string): void {
  const ids = catalogue.applications.map(({ id }) => id);
  const unknown = Object.keys(applications).filter((id) => !ids.includes(id));
  const faults = unknown.map(
    (id) => `${file}: applications.${id}: the catalogue has no such one${suggestion(id, ids)}`,
  );
  faults.push(...atCapFaults({ applications, sessions }, catalogue).map((fault) => `${file}: ${fault}`));
  if (faults.length > 0) throw new ConfigError(faults);
}
