import { readFileSync } from 'node:fs';
import { type ConfigFault, readConfigDocument } from '../../platform/config/config-document.ts';
import { Secret } from '../../platform/config/secret.ts';
import { resolveTls } from '../../platform/config/tls-schema.ts';
import { type PeerSecret, readPeerSecret, sharedSecretFault } from '../../platform/http/peer-secret.ts';
import { readPseudonymKey } from '../../platform/pseudonym-key.ts';
import type { AccountSettings } from './accounts/account-config-schema.ts';
import { DISPATCH_RENAMES, type DispatchDocument, dispatchConfigSchema } from './dispatch-config-schema.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a dispatch server runs with. Paths are absolute; secrets do not print. */
export interface DispatchConfig extends DispatchDocument {
  secrets: {
    pseudonymKey: Secret;
    operator: Secret;
    /** By proxy id. */
    proxies: ReadonlyMap<string, PeerSecret>;
    /** Of the sponsors' account endpoints, by application id. */
    callbacks: ReadonlyMap<string, Secret>;
    storePassword: Secret | null;
    saslPassword: Secret | null;
  };
}

/** At least as long as a secret that cannot be guessed. */
const MIN_SECRET_LENGTH = 16;

/** Reads the file and the secrets that it names or the environment holds. Throws a ConfigError with a line for each fault. */
export function readDispatchConfig(file: string, env: Environment): DispatchConfig {
  const document = readConfigDocument(file, dispatchConfigSchema, { renames: DISPATCH_RENAMES });
  const { value } = document;
  const faults: ConfigFault[] = ruleFaults(value);
  const secretOf = (variable: string, path: ConfigFault['path'], secretFile: string | undefined) =>
    readSecret({ variable, path, file: secretFile && document.resolve(secretFile), env, faults });
  const { store, kafka, proxies } = value;
  const pseudonymKey = secretOf('ZERORATE_PSEUDONYM_KEY', ['pseudonymKey', 'file'], value.pseudonymKey?.file);
  const operator = secretOf('ZERORATE_OPERATOR_SECRET', ['operatorSecretFile'], value.operatorSecretFile);
  const ofProxies = proxySecrets(proxies, env, document.resolve, faults);
  const callbacks = Object.entries(value.applications).flatMap(([id, { account }]) => {
    if (account?.callback === undefined) return [];
    const path = ['applications', id, 'account', 'callback', 'secretFile'];
    const secret = secretOf('', path, account.callback.secretFile) ?? '';
    if (secret.length < MIN_SECRET_LENGTH) {
      faults.push({ path, message: `expected a secret of at least ${MIN_SECRET_LENGTH} characters in this file` });
    }
    return [[id, new Secret(secret)] as const];
  });
  const storePassword = secretOf('ZERORATE_STORE_PASSWORD', ['store', 'passwordFile'], store.passwordFile);
  const saslPassword = secretOf('ZERORATE_KAFKA_SASL_PASSWORD', ['kafka', 'sasl'], kafka.sasl?.passwordFile);
  faults.push(...secretFaults(operator, ['operatorSecretFile'], 'ZERORATE_OPERATOR_SECRET'));
  const { fault } = readPseudonymKey(pseudonymKey ?? '');
  if (fault !== undefined) faults.push({ path: ['pseudonymKey'], message: `${fault}; the engine has the same one` });
  document.refuse(faults);
  return {
    ...withPaths(value, document.resolve),
    secrets: {
      pseudonymKey: new Secret(pseudonymKey ?? ''),
      operator: new Secret(operator ?? ''),
      proxies: ofProxies,
      callbacks: new Map(callbacks),
      storePassword: storePassword === null ? null : new Secret(storePassword),
      saslPassword: saslPassword === null ? null : new Secret(saslPassword),
    },
  };
}

/** Each proxy's own secret: one that two have would let either be the other. */
function proxySecrets(
  proxies: DispatchDocument['proxies'],
  env: Environment,
  resolve: (path: string) => string,
  faults: ConfigFault[],
): Map<string, PeerSecret> {
  const secrets = new Map<string, PeerSecret>();
  const shared = sharedSecretFault(
    env,
    Object.values(proxies).map(({ secretVariable }) => secretVariable),
  );
  if (shared !== null) faults.push({ path: ['proxies'], message: shared });
  for (const [id, { secretFile, secretVariable }] of Object.entries(proxies)) {
    const source = { file: secretFile && resolve(secretFile), variable: secretVariable };
    const read = readPeerSecret(source, env, (file) => readFileSync(file, 'utf8'));
    const field = secretFile === undefined ? (secretVariable === undefined ? [] : ['secretVariable']) : ['secretFile'];
    const path = ['proxies', id, ...field];
    if (read.fault !== undefined) {
      faults.push({ path, message: read.fault });
      continue;
    }
    for (const [other, secret] of secrets) {
      if (!secret.overlaps(read.secret)) continue;
      faults.push({ path, message: `is the secret of ${other}, too: each proxy has a secret of its own` });
    }
    secrets.set(id, read.secret);
  }
  return secrets;
}

interface SecretSource {
  variable: string;
  path: ConfigFault['path'];
  file: string | undefined;
  env: Environment;
  faults: ConfigFault[];
}

/** A file of its own goes before the environment, which all may share. */
function readSecret({ variable, path, file, env, faults }: SecretSource): string | null {
  if (file === undefined) return env[variable] || null;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    faults.push({ path, message: `cannot be read: ${(error as Error).message}` });
    return null;
  }
}

function secretFaults(secret: string | null, path: ConfigFault['path'], variable: string): ConfigFault[] {
  if (secret !== null && secret.length >= MIN_SECRET_LENGTH) return [];
  const message = `expected a secret of at least ${MIN_SECRET_LENGTH} characters, in this file or in ${variable}`;
  return [{ path, message }];
}

/** A way has its own settings, and none of another way, which would seem to be in force. */
function accountFaults(applications: DispatchDocument['applications']): ConfigFault[] {
  return Object.entries(applications).flatMap(([id, { account }]) =>
    (['callback', 'registry'] as const).flatMap((way): ConfigFault[] => {
      if (account === undefined || (account.way === way) === (account[way] !== undefined)) return [];
      const message = account.way === way ? `way ${way} needs these settings` : `is only for way ${way}`;
      return [{ path: ['applications', id, 'account', way], message }];
    }),
  );
}

function ruleFaults({ operators, heartbeats, applications, proxies, http }: DispatchDocument): ConfigFault[] {
  const faults: ConfigFault[] = operators.flatMap(({ jwksFile, jwksUrl }, i) =>
    (jwksFile === undefined) === (jwksUrl === undefined)
      ? [{ path: ['operators', i], message: 'name either jwksFile or jwksUrl' }]
      : [],
  );
  faults.push(...accountFaults(applications));
  const { intervalMs, staleTimeoutMs, lostTimeoutMs } = heartbeats;
  if (staleTimeoutMs <= intervalMs) {
    faults.push({ path: ['heartbeats', 'staleTimeoutMs'], message: `expected more than intervalMs ${intervalMs}` });
  }
  if (lostTimeoutMs <= staleTimeoutMs) {
    faults.push({
      path: ['heartbeats', 'lostTimeoutMs'],
      message: `expected more than staleTimeoutMs ${staleTimeoutMs}`,
    });
  }
  if (heartbeats.maxClockSkewMs < heartbeats.warnClockSkewMs) {
    const message = `expected at least warnClockSkewMs ${heartbeats.warnClockSkewMs}`;
    faults.push({ path: ['heartbeats', 'maxClockSkewMs'], message });
  }
  faults.push(...proxyFaults(proxies, http.tls?.caFile));
  return faults;
}

function proxyFaults(proxies: DispatchDocument['proxies'], caFile: string | undefined): ConfigFault[] {
  const controlUrls = new Map<string, string>();
  return Object.entries(proxies).flatMap(([id, { clientCertificate, controlUrl }]) => {
    const faults: ConfigFault[] = [];
    const path = ['proxies', id, 'clientCertificate'];
    if (clientCertificate !== undefined && caFile === undefined) {
      faults.push({ path, message: 'needs http.tls.caFile, the authority of the certificate' });
    }
    if (clientCertificate !== undefined && Object.keys(clientCertificate).length === 0) {
      faults.push({ path, message: 'name fingerprint256 or subject, or both' });
    }
    const { href } = new URL(controlUrl);
    const other = controlUrls.get(href);
    if (other !== undefined) {
      faults.push({ path: ['proxies', id, 'controlUrl'], message: `is the control URL of ${other}, too` });
    }
    controlUrls.set(href, id);
    return faults;
  });
}

function withPaths(document: DispatchDocument, resolve: (path: string) => string): DispatchDocument {
  const { catalogue, dataDir, http, kafka, operators, applications, proxies } = document;
  const { tls } = kafka;
  return {
    ...document,
    catalogue: resolve(catalogue),
    dataDir: resolve(dataDir),
    http: { ...http, ...(http.tls && { tls: resolveTls(http.tls, resolve) }) },
    proxies: Object.fromEntries(
      Object.entries(proxies).map(([id, proxy]) => [
        id,
        { ...proxy, ...(proxy.tls && { tls: resolveTls(proxy.tls, resolve) }) },
      ]),
    ),
    kafka: { ...kafka, tls: typeof tls === 'boolean' ? tls : resolveTls(tls, resolve) },
    operators: operators.map((operator) =>
      operator.jwksFile === undefined ? operator : { ...operator, jwksFile: resolve(operator.jwksFile) },
    ),
    applications: Object.fromEntries(
      Object.entries(applications).map(([id, { account, ...terms }]) => [
        id,
        account === undefined ? terms : { ...terms, account: withAccountPaths(account, resolve) },
      ]),
    ),
  };
}

function withAccountPaths(account: AccountSettings, resolve: (path: string) => string): AccountSettings {
  const { callback, registry } = account;
  return {
    ...account,
    ...(callback && {
      callback: {
        ...callback,
        secretFile: resolve(callback.secretFile),
        ...(callback.tls && { tls: resolveTls(callback.tls, resolve) }),
      },
    }),
    ...(registry && { registry: { file: resolve(registry.file) } }),
  };
}
