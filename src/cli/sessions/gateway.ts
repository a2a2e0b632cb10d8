import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Registry } from 'prom-client';
import { readConfigDocument } from '../../platform/config/config-document.ts';
import { readPeerSecret, sharedSecretFault } from '../../platform/http/peer-secret.ts';
import { onReloadSignal, onStopSignal } from '../../platform/lifecycle.ts';
import { isUnspecified } from '../../platform/network/listen-error.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { type ConfigReloadOutcome, ReloadMetrics } from '../../platform/telemetry/reload-metrics.ts';
import { type Gateway, startGateway } from '../../sessions/gateway/gateway.ts';
import {
  GATEWAY_RENAMES,
  type GatewayConfig,
  gatewaySchema,
  type RegisteredProxy,
} from '../../sessions/gateway/gateway-config.ts';
import { namingFile } from '../failure.ts';
import { changedFields, reloadConfig } from './reload-config.ts';

const STOP_GRACE_MS = 15_000;
/** Fields that a running gateway does not take over. */
const NEXT_START = [
  'nodeId',
  'userPlane',
  'control',
  'terminalAddresses',
  'kafka',
  'spool',
  'partialRecords',
  'terminalTags',
  'log',
] as const;

export function registerGateway(program: Command): void {
  program
    .command('gateway')
    .description('simulate the carrier’s gateway: terminals’ traffic passes it, and flow records of it go to Kafka')
    .requiredOption('-c, --config <file>', 'the configuration, gateway.yaml')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate gateway --config gateway.yaml
  $ curl -H "Authorization: Bearer $(cat operator.secret)" -d '{"msisdn":"15550100001"}' -H 'content-type: application/json' \\
      http://127.0.0.1:8086/v1/bearers
  $ curl --proxy socks5h://BEARER_ID:x@127.0.0.1:1085 http://example.org/`,
    )
    .action(async ({ config: file }: { config: string }) => {
      const config = readGatewayConfig(file);
      const logger = createLogger(config.log);
      let metrics: ReloadMetrics | null = null;
      const onMetrics = (registry: Registry) => {
        metrics = new ReloadMetrics(registry);
      };
      const gateway = await startGateway(config, logger, onMetrics).catch((error) => {
        throw namingFile(file, error);
      });
      const { userPlanePort, controlPort } = gateway;
      logger.info({ nodeId: config.nodeId, userPlanePort, controlPort }, 'the gateway takes connections');
      const onReloaded = (outcome: ConfigReloadOutcome) => metrics?.reloaded(outcome);
      const apply = applyTo(gateway, config, file);
      const forget = onReloadSignal(() => void reloadConfig({ file, logger, apply, onReloaded }));
      await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
      forget();
      const spooledRecords = await gateway.stop();
      logger.info({ spooledRecords }, 'stopped');
    });
}

/** Takes over secrets, proxies and the identity key; all else counts from the next start. */
function applyTo(gateway: Gateway, started: GatewayConfig, file: string) {
  const live = ({ operatorSecret, proxies, identity }: GatewayConfig) =>
    JSON.stringify([operatorSecret, proxies, identity]);
  let now = live(started);
  return () => {
    const next = readGatewayConfig(file);
    const taken = live(next) !== now;
    now = live(next);
    gateway.reload(next);
    return { taken, nextStart: changedFields(started, next, NEXT_START) };
  };
}

/** The configuration with its secrets. Throws a ConfigError with a line for each fault. */
export function readGatewayConfig(file: string, env: NodeJS.ProcessEnv = process.env): GatewayConfig {
  const { value, resolve: beside, refuse } = readConfigDocument(file, gatewaySchema, { renames: GATEWAY_RENAMES });
  const { operatorSecretFile, proxies, identity, ...document } = value;
  const faults: { path: (string | number)[]; message: string }[] = [];
  const secret = (path: (string | number)[], secretFile: string): string => {
    try {
      const text = readFileSync(beside(secretFile), 'utf8').trim();
      if (text === '') faults.push({ path, message: `${secretFile} is empty` });
      return text;
    } catch (error) {
      faults.push({ path, message: `cannot be read: ${(error as Error).message}` });
      return '';
    }
  };
  const { privateKeyFile, ...issuer } = identity;
  const config: GatewayConfig = {
    ...document,
    spool: beside(document.spool),
    operatorSecret: secret(['operatorSecretFile'], operatorSecretFile),
    identity: { ...issuer, privateKeyPem: secret(['identity', 'privateKeyFile'], privateKeyFile) },
    proxies: proxies.flatMap(({ proxyId, addresses, secretFile, secretVariable }, index) => {
      const source = { file: secretFile && beside(secretFile), variable: secretVariable };
      const found = readPeerSecret(source, env, (path) => readFileSync(path, 'utf8'));
      if (found.fault === undefined) return [{ proxyId, addresses, secret: found.secret }];
      const field = secretFile === undefined ? [] : ['secretFile'];
      faults.push({ path: ['proxies', index, ...field], message: found.fault });
      return [];
    }),
  };
  faults.push(...registeredTwice(config.proxies));
  const shared = sharedSecretFault(
    env,
    proxies.map(({ secretVariable }) => secretVariable),
  );
  if (shared !== null) faults.push({ path: ['proxies'], message: shared });
  const { userPlane } = document;
  if (isUnspecified(userPlane.publicUrl === undefined ? userPlane.host : new URL(userPlane.publicUrl).hostname)) {
    const message = 'is no address that terminals can connect to; set userPlane.publicUrl to one that they can';
    faults.push({ path: ['userPlane', userPlane.publicUrl === undefined ? 'host' : 'publicUrl'], message });
  }
  if (faults.length === 0 && !isEd25519(config.identity.privateKeyPem)) {
    const message = `${privateKeyFile} is no Ed25519 key: \`openssl genpkey -algorithm ed25519\` makes one`;
    faults.push({ path: ['identity', 'privateKeyFile'], message });
  }
  refuse(faults);
  return config;
}

/** A secret or an id that two proxies have would let either mark the other's flows. */
function registeredTwice(proxies: readonly RegisteredProxy[]): { path: (string | number)[]; message: string }[] {
  return proxies.flatMap(({ proxyId, secret }, index) => {
    const others = proxies.slice(0, index);
    const path = ['proxies', index];
    const same = others.find((other) => other.secret.overlaps(secret));
    return [
      ...(others.some((other) => other.proxyId === proxyId) ? [{ path, message: `${proxyId} is there twice` }] : []),
      ...(same
        ? [{ path, message: `has the secret of ${same.proxyId}, too: each proxy has a secret of its own` }]
        : []),
    ];
  });
}

function isEd25519(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'ed25519';
  } catch {
    return false;
  }
}
