import type { JWTVerifyGetKey } from 'jose';
import { quotaUpdateSchema } from '../../engine/assembly/assemble-source.ts';
import { connect, requireBrokers } from '../../engine/assembly/kafka-connection.ts';
import { suggestion } from '../../formats/nearest-word.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { readTlsFiles } from '../../platform/network/tls-files.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { quotaUpdateCodec } from '../../rating/quota-updates.ts';
import { Accounts, readAccounts } from '../../sessions/dispatch/accounts/accounts.ts';
import { operatorVerifier } from '../../sessions/dispatch/accounts/operator-keys.ts';
import { readKeySet, remoteKeySet } from '../../sessions/dispatch/accounts/read-key-set.ts';
import type { Patience, SessionLimits } from '../../sessions/dispatch/context.ts';
import type { DispatchConfig } from '../../sessions/dispatch/dispatch-config.ts';
import type { DispatchServerOptions } from '../../sessions/dispatch/dispatch-server.ts';
import { type ControlPin, httpProxyControl } from '../../sessions/dispatch/proxies/proxy-control.ts';
import type { ProxyPin } from '../../sessions/dispatch/proxies/proxy-registry.ts';
import { atCapFaults } from '../../sessions/dispatch/reports/at-cap-faults.ts';
import type { HttpOptions } from '../../sessions/dispatch/routes/http-options.ts';

/** What of a dispatch server's configuration may change while it runs; its parts are changed in place. */
export interface LiveSettings {
  config: DispatchConfig;
  accounts: Accounts;
  /** By operator (`iss`). */
  operatorKeys: Map<string, JWTVerifyGetKey>;
  /** By id. */
  proxies: Map<string, ProxyPin & ControlPin>;
  patience: Patience;
  sessionLimits: SessionLimits;
  tls: HttpOptions['tls'];
}

/**
 * Reads the files that the configuration and the catalogue name. Throws a ConfigError where one is invalid. `before`: what is in use.
 */
export function liveSettings(
  config: DispatchConfig,
  catalogue: Catalogue,
  logger: Logger,
  before?: LiveSettings,
): LiveSettings {
  const { heartbeats, sessions, http } = config;
  return {
    config,
    accounts: new Accounts(accountsOf(config, catalogue, logger, before), logger),
    operatorKeys: operatorKeys(config),
    proxies: proxyPins(config),
    patience: {
      tokenMs: sessions.tokenLifetimeMs,
      staleTimeoutMs: heartbeats.staleTimeoutMs,
      lostTimeoutMs: heartbeats.lostTimeoutMs,
      idleTimeoutMs: sessions.idleTimeoutMs,
      releaseDelayMs: sessions.releaseDelayMs,
      warnClockSkewMs: heartbeats.warnClockSkewMs,
      maxClockSkewMs: heartbeats.maxClockSkewMs,
    },
    sessionLimits: { perSubscriber: sessions.maxPerSubscriber, overshootOctets: sessions.overshootOctets },
    tls: http.tls && tlsOf(http.tls),
  };
}

/** How the accounts of every application of the catalogue are proven. Throws a ConfigError where they cannot be. */
export function accountsOf(config: DispatchConfig, catalogue: Catalogue, logger: Logger, before?: LiveSettings) {
  return readAccounts({ config, clock: systemClock, logger }, catalogue, before?.accounts.byApplication);
}

/** What a dispatch server is made of, but for what the command adds. */
export function serverOptions(live: LiveSettings, catalogue: Catalogue, logger: Logger) {
  const { config, proxies, patience, sessionLimits } = live;
  const { secrets, kafka, heartbeats, http } = config;
  const codec = quotaUpdateCodec(quotaUpdateSchema(), kafka.schemaId);
  const access = { ...kafka, sasl: saslOf(config) };
  const topic = kafka.quotaUpdatesTopic;
  return {
    catalogue,
    dataDir: config.dataDir,
    host: http.host,
    port: http.port,
    trustedProxies: http.trustedProxies,
    tls: live.tls,
    clock: systemClock,
    random: Math.random,
    identity: operatorVerifier(live.operatorKeys),
    accounts: live.accounts,
    control: httpProxyControl(proxies, heartbeats.announceTimeoutMs),
    proxies,
    operatorSecret: secrets.operator.reveal(),
    termsOf(applicationId: string) {
      const { sessions, applications } = live.config;
      const { grantOctets = sessions.grantOctets, atCap = sessions.atCap } = applications[applicationId] ?? {};
      return { grantOctets, atCap };
    },
    patience,
    sessionLimits,
    heartbeatIntervalMs: heartbeats.intervalMs,
    rateLimits: config.rateLimits,
    limits: http.limits,
    keyRotationIntervalMs: config.keys.rotationIntervalMs,
    retainMs: config.reportLifetimeMs,
    quotaUpdates: {
      kafka: connect(access, logger),
      topic,
      decode: codec.decode,
      preflight: () => requireBrokers(access, topic, undefined, 'kafka'),
    },
    logger,
  } satisfies Partial<DispatchServerOptions>;
}

/** A line for each application that the configuration names and the catalogue does not have. */
export function applicationFaults(
  { applications, proxies, sessions }: DispatchConfig,
  catalogue: Catalogue,
  file: string,
): string[] {
  const ids = catalogue.applications.map(({ id }) => id);
  const named: [place: string, id: string][] = [
    ...Object.keys(applications).map((id): [string, string] => [`applications.${id}`, id]),
    ...Object.entries(proxies).flatMap(([proxyId, proxy]) =>
      proxy.applications.map((id): [string, string] => [`proxies.${proxyId}.applications: ${id}`, id]),
    ),
  ];
  const unknown = named.filter(([, id]) => !ids.includes(id));
  return [
    ...unknown.map(([place, id]) => `${file}: ${place}: the catalogue has no such application${suggestion(id, ids)}`),
    ...atCapFaults({ applications, sessions }, catalogue).map((fault) => `${file}: ${fault}`),
  ];
}

function proxyPins({ proxies, secrets }: DispatchConfig): Map<string, ProxyPin & ControlPin> {
  return new Map(
    Object.entries(proxies).map(([id, { controlUrl, tls, endpoints, applications, clientCertificate }]) => {
      const secret = secrets.proxies.get(id);
      if (secret === undefined) throw new Error(`proxy ${id} has no secret`);
      const pinned = { secret, controlUrl, tls, endpoints };
      return [id, { ...pinned, applicationIds: applications, clientCertificate: clientCertificate ?? null }];
    }),
  );
}

/** Terminals have no certificate: the one of a proxy is asked for where it is needed. */
function tlsOf(files: NonNullable<DispatchConfig['http']['tls']>): HttpOptions['tls'] {
  const { ca, cert, key } = readTlsFiles(files, 'http.tls');
  return { cert, key, ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: false }) };
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
      jwksUrl === undefined ? readKeySet(jwksFile ?? '') : remoteKeySet(jwksUrl),
    ]),
  );
}
