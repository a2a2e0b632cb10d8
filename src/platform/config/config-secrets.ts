import type { DocumentPath } from '../../formats/document-fault.ts';
import { isWholeKey, readPseudonymKey } from '../pseudonym-key.ts';
import type { ConfigDocument } from './config-schema.ts';
import { isTree } from './config-tree.ts';
import type { Environment } from './config-variables.ts';
import { Secret } from './secret.ts';

export interface ConfigSecrets {
  storePassword: Secret | null;
  saslPassword: Secret | null;
  /** Of the client that fetches tokens. */
  clientSecret: Secret | null;
  registryPassword: Secret | null;
  /** What the variable or the file has: hex digits, or what an erasure has made of them. */
  pseudonymKey: Secret | null;
  /** The file that the key is from. */
  pseudonymKeyFile: string | null;
}

export interface SecretFault {
  path: DocumentPath;
  message: string;
  /** The variable that the secret came from, if one did. */
  origin?: string;
}

const REFUSED: readonly { path: readonly string[]; remedy: string }[] = [
  { path: ['store', 'password'], remedy: 'set ZERORATE_STORE_PASSWORD or store.passwordFile' },
  {
    path: ['source', 'kafka', 'sasl', 'password'],
    remedy: 'set ZERORATE_KAFKA_SASL_PASSWORD or source.kafka.sasl.passwordFile',
  },
  {
    path: ['source', 'kafka', 'sasl', 'clientSecret'],
    remedy: 'set ZERORATE_KAFKA_OAUTH_CLIENT_SECRET or source.kafka.sasl.clientSecretFile',
  },
  {
    path: ['source', 'kafka', 'avro', 'registry', 'password'],
    remedy: 'set ZERORATE_REGISTRY_PASSWORD or source.kafka.avro.registry.passwordFile',
  },
  { path: ['pseudonymKey', 'key'], remedy: 'set ZERORATE_PSEUDONYM_KEY or pseudonymKey.file' },
];

/** Takes the secrets that do not belong into a configuration file out of its value, so that no later fault can show them. */
export function takeOutSecrets(document: unknown): { document: unknown; faults: SecretFault[] } {
  if (!isTree(document)) return { document, faults: [] };
  const cleaned = structuredClone(document);
  const faults = REFUSED.flatMap(({ path, remedy }) => {
    const holder = path.slice(0, -1).reduce<unknown>((tree, key) => (isTree(tree) ? tree[key] : undefined), cleaned);
    const name = path[path.length - 1];
    if (!isTree(holder) || !(name in holder)) return [];
    delete holder[name];
    return [{ path, message: `a secret does not belong into this file: ${remedy}` }];
  });
  if ('pseudonymKey' in cleaned && !isTree(cleaned.pseudonymKey)) {
    delete cleaned.pseudonymKey;
    faults.push({
      path: ['pseudonymKey'],
      message: 'expected a map with a file; the key itself does not belong into this file: set ZERORATE_PSEUDONYM_KEY',
    });
  }
  // `pseudonymKey:` with nothing but a refused key in it has one fault, not two.
  if (isTree(cleaned.pseudonymKey) && Object.keys(cleaned.pseudonymKey).length === 0) delete cleaned.pseudonymKey;
  return { document: cleaned, faults };
}

/** The secrets from the environment, else from the files that the configuration names. `read` takes a field's path. */
export function readSecrets(
  { store, source, pseudonymKey }: ConfigDocument,
  env: Environment,
  read: (path: DocumentPath, file: string) => string,
): { secrets: ConfigSecrets; faults: SecretFault[] } {
  const faults: SecretFault[] = [];
  const secretOf = (variable: string, path: DocumentPath, file: string | undefined): string | null => {
    const text = env[variable];
    if (text !== undefined && text !== '') return text;
    if (file === undefined) return null;
    try {
      return read(path, file).trim();
    } catch (error) {
      faults.push({ path, message: `cannot be read: ${(error as Error).message}` });
      return null;
    }
  };
  const storePassword = secretOf('ZERORATE_STORE_PASSWORD', ['store', 'passwordFile'], store.passwordFile);
  const kafka: DocumentPath = ['source', 'kafka'];
  const { sasl, avro } = source.kafka ?? {};
  const saslPassword = secretOf('ZERORATE_KAFKA_SASL_PASSWORD', [...kafka, 'sasl', 'passwordFile'], sasl?.passwordFile);
  const clientSecret = secretOf(
    'ZERORATE_KAFKA_OAUTH_CLIENT_SECRET',
    [...kafka, 'sasl', 'clientSecretFile'],
    sasl?.clientSecretFile,
  );
  const registryPassword = secretOf(
    'ZERORATE_REGISTRY_PASSWORD',
    [...kafka, 'avro', 'registry', 'passwordFile'],
    avro?.registry?.passwordFile,
  );
  const key = secretOf('ZERORATE_PSEUDONYM_KEY', ['pseudonymKey', 'file'], pseudonymKey?.file);
  const isFromVariable = Boolean(env.ZERORATE_PSEUDONYM_KEY);
  const message = key === null ? undefined : keyFault(key, isFromVariable);
  if (message !== undefined) {
    const origin = isFromVariable ? { path: [], origin: 'ZERORATE_PSEUDONYM_KEY' } : { path: ['pseudonymKey', 'file'] };
    faults.push({ message, ...origin });
  }
  const hidden = (text: string | null) => (text === null ? null : new Secret(text));
  const pseudonymKeyFile = isFromVariable ? null : (pseudonymKey?.file ?? null);
  const secrets = {
    storePassword: hidden(storePassword),
    saslPassword: hidden(saslPassword),
    clientSecret: hidden(clientSecret),
    registryPassword: hidden(registryPassword),
    pseudonymKey: hidden(key),
    pseudonymKeyFile,
  };
  return { secrets, faults };
}

/** A key from which subscribers were erased is rewritten by the next erasure: it needs a file. */
function keyFault(text: string, isFromVariable: boolean): string | undefined {
  const { key, fault } = readPseudonymKey(text);
  if (key === undefined || !isFromVariable || isWholeKey(text)) return fault;
  return 'a key from which subscribers were erased needs a file: name it in ZERORATE_PSEUDONYM_KEY_FILE';
}
