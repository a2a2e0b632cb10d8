import { dirname, resolve } from 'node:path';
import { type DocumentFault, type DocumentPath, formatPath } from '../../formats/document-fault.ts';
import { type Locate, type ParsedYaml, parseYaml } from '../../formats/parse-yaml.ts';
import { shape } from '../../formats/shape-faults.ts';
import { type Config, completeConfig } from './config.ts';
import { type ConfigOverrides, mergeSettings, overrideSettings, type Setting } from './config-merge.ts';
import { resolveConfigPaths } from './config-paths.ts';
import { configRuleFaults } from './config-rules.ts';
import { type ConfigDocument, configSchema } from './config-schema.ts';
import { type ConfigSecrets, readSecrets, takeOutSecrets } from './config-secrets.ts';
import { type Environment, environmentSettings } from './config-variables.ts';
import { ENGINE_RENAMES } from './engine-renames.ts';
import { applyRenames } from './renamed-keys.ts';

export interface ConfigSources {
  /** The configuration file, if there is one. */
  file?: string | undefined;
  env: Environment;
  /** From the command line: stronger than the environment, which is stronger than the file. */
  overrides?: ConfigOverrides;
  /** Reads a text file; throws when it cannot. */
  readFile: (path: string) => string;
  /** Paths from the command line and the environment are relative to it; paths in the file to the file. */
  workingDirectory?: string;
}

export type LoadedConfig =
  | { config: Config; warnings: DocumentFault[]; faults?: undefined }
  | { config?: undefined; faults: DocumentFault[] };

interface Fault {
  path: DocumentPath;
  message: string;
  origin?: string;
}

const COMMAND_LINE = 'command line';

/** The engine's configuration from the file, the environment and the command line, or everything that is wrong with it. */
export function loadConfig({
  file,
  env,
  overrides = {},
  readFile,
  workingDirectory = process.cwd(),
}: ConfigSources): LoadedConfig {
  const environment = environmentSettings(env);
  const parsed = parseFile(file, (path) => readFile(resolve(workingDirectory, path)));
  if (parsed.faults !== undefined) return { faults: [...environment.faults, ...parsed.faults] };
  const renamed = applyRenames(parsed.value, ENGINE_RENAMES);
  const cleaned = takeOutSecrets(renamed.document);
  const layers = [environment.settings, overrideSettings(overrides, COMMAND_LINE)];
  const inFile = attributor(file, parsed.locate, []);
  const attribute = attributor(file, parsed.locate, layers.flat(), renamed.writtenPath);
  const before = [...environment.faults, ...renamed.faults.map(inFile), ...cleaned.faults.map(attribute)];

  const shaped = shape(configSchema, mergeSettings(cleaned.document, layers));
  if (shaped.faults !== undefined) return { faults: [...before, ...shaped.faults.map(attribute)] };
  const document = resolveConfigPaths(shaped.value, (path) =>
    settingOf(layers.flat(), path) !== undefined || file === undefined
      ? workingDirectory
      : dirname(resolve(workingDirectory, file)),
  );
  const { secrets, faults: secretFaults } = readSecrets(document, env, (_path, secretFile) => readFile(secretFile));
  const after = [...configRuleFaults(document), ...secretFaults, ...missingSecrets(document, secrets, secretFaults)];
  if (before.length + after.length > 0) return { faults: [...before, ...after.map(attribute)] };
  const warnings = [...environment.warnings, ...renamed.warnings.map(inFile)];
  return { config: completeConfig(document, secrets), warnings };
}

function parseFile(file: string | undefined, readFile: (path: string) => string): ParsedYaml {
  if (file === undefined) return { value: {}, locate: () => ({ line: 1, column: 1 }) };
  try {
    return parseYaml(readFile(file), file);
  } catch (error) {
    return { faults: [{ file, line: null, path: '', message: `cannot be read: ${(error as Error).message}` }] };
  }
}

/** Says where a faulty field came from: a variable, the command line, or a line of the file. */
function attributor(
  file: string | undefined,
  locate: Locate,
  settings: readonly Setting[],
  writtenPath: (path: DocumentPath) => DocumentPath = (path) => path,
) {
  return ({ path, message, origin = settingOf(settings, path)?.origin }: Fault): DocumentFault => {
    if (origin !== undefined) return { file: origin, line: null, path: formatPath(path), message };
    const written = writtenPath(path);
    const fault = { path: formatPath(written), message };
    if (file === undefined) return { file: 'configuration', line: null, ...fault };
    return { file, line: locate(written).line, ...fault };
  };
}

/** The strongest setting that gave the field, or a whole that the field is part of. */
function settingOf(settings: readonly Setting[], path: DocumentPath): Setting | undefined {
  return settings.findLast((setting) => setting.path.every((step, i) => step === path[i]));
}

function missingSecrets(
  { store, source }: ConfigDocument,
  { saslPassword, clientSecret, registryPassword, pseudonymKey }: ConfigSecrets,
  reported: readonly Fault[],
): Fault[] {
  const faults: Fault[] = [];
  const isReported = (last: string) => reported.some(({ path }) => path.includes(last));
  const { sasl, avro } = source.kafka ?? {};
  const isToken = sasl?.mechanism === 'oauthbearer';
  if (sasl !== undefined && (isToken ? clientSecret : saslPassword) === null && !isReported('sasl')) {
    const message = isToken
      ? 'no client secret: set ZERORATE_KAFKA_OAUTH_CLIENT_SECRET or clientSecretFile'
      : 'no password: set ZERORATE_KAFKA_SASL_PASSWORD or passwordFile';
    faults.push({ path: ['source', 'kafka', 'sasl'], message });
  }
  if (avro?.registry?.username !== undefined && registryPassword === null && !isReported('registry')) {
    const message = 'no password: set ZERORATE_REGISTRY_PASSWORD or passwordFile';
    faults.push({ path: ['source', 'kafka', 'avro', 'registry'], message });
  }
  if (store.url !== undefined && pseudonymKey === null && !isReported('pseudonymKey')) {
    const message =
      'is missing: a store on a server needs a key of yours; set ZERORATE_PSEUDONYM_KEY to 64 hex digits ' +
      '(`openssl rand -hex 32`), or pseudonymKey.file';
    faults.push({ path: ['pseudonymKey'], message });
  }
  return faults;
}
