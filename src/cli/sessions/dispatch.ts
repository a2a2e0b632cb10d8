import type { Command } from 'commander';
import { readCatalogue } from '../../engine/assembly/read-config.ts';
import { CatalogueMetrics } from '../../engine/metrics/catalogue-metrics.ts';
import { CatalogueReload } from '../../engine/reload/catalogue-reload.ts';
import { type CompileCatalogue, packCounts } from '../../engine/reload/compile-catalogue.ts';
import { compileWholeInThread } from '../../engine/reload/compile-catalogue-thread.ts';
import { requireUsable } from '../../engine/running/load-key.ts';
import { openServerStore } from '../../platform/clickhouse/server-store.ts';
import { readSuspensionFacts } from '../../platform/clickhouse/suspension-facts.ts';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { onReloadSignal, onStopSignal } from '../../platform/lifecycle.ts';
import { compareKeyStates } from '../../platform/pseudonym-key.ts';
import { createLogger, type Logger } from '../../platform/telemetry/logger.ts';
import { type ConfigReloadOutcome, ReloadMetrics } from '../../platform/telemetry/reload-metrics.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { type DispatchConfig, readDispatchConfig } from '../../sessions/dispatch/dispatch-config.ts';
import { DispatchServer } from '../../sessions/dispatch/dispatch-server.ts';
import { namingFile } from '../failure.ts';
import { DispatchKey, isKeyFault, readDispatchKey } from './dispatch-key.ts';
import { accountsOf, applicationFaults, type LiveSettings, liveSettings, serverOptions } from './dispatch-options.ts';
import { changedFields, reloadConfig } from './reload-config.ts';

const STOP_GRACE_MS = 10_000;
const STORE_TIMEOUT_MS = 5000;

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
  $ kill -HUP PID    # reload the catalogue and the configuration

Its interface is described at /documentation. Secrets come from files that the configuration names, or from ZERORATE_OPERATOR_SECRET,
ZERORATE_PSEUDONYM_KEY and ZERORATE_STORE_PASSWORD; each proxy's own from where the configuration says. It waits for the engine's store, the brokers and the
topic of quota updates; /health/ready says for which.`,
    )
    .action(async ({ config: file, check = false }: { config: string; check?: boolean }) => {
      const config = readDispatchConfig(file, process.env);
      const catalogue = readCatalogue(config.catalogue);
      const faults = applicationFaults(config, catalogue, file);
      if (faults.length > 0) throw new ConfigError(faults);
      const logger = createLogger(config.log);
      const live = liveSettings(config, catalogue, logger);
      warnOfDevelopment(config);
      if (check) process.stdout.write(`${file}: ${Object.keys(config.proxies).length} proxies; it is good\n`);
      else await run(file, live, catalogue, logger);
    });
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

async function run(file: string, live: LiveSettings, catalogue: Catalogue, logger: Logger): Promise<void> {
  const { config } = live;
  const { url, database, username, checkIntervalMs } = config.store;
  const password = config.secrets.storePassword?.reveal() ?? '';
  const store = await openServerStore(
    { url, database, username, password, requestTimeoutMs: STORE_TIMEOUT_MS },
    { create: false, readOnly: true },
  );
  const key = new DispatchKey(() => readDispatchKey(file), logger);
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const metrics: { catalogue?: CatalogueMetrics; config?: ReloadMetrics } = {};
  const server = new DispatchServer({
    ...serverOptions(live, catalogue, logger),
    pseudonymKey: key.key,
    checkPseudonymKey(stored) {
      requireUsable(compareKeyStates(stored, key.states));
      return key.states;
    },
    suspensions: {
      intervalMs: checkIntervalMs,
      read: async () => {
        await key.check(store).catch((error) => {
          if (isKeyFault(error)) fail(error);
          throw error;
        });
        return readSuspensionFacts(store);
      },
    },
    onMetrics(registry) {
      metrics.catalogue = new CatalogueMetrics(registry);
      metrics.config = new ReloadMetrics(registry);
      metrics.catalogue.taken(catalogue.hash, catalogue.plans.length);
    },
    onFailure: fail,
  });
  key.onReplaced = async (next) => {
    server.context.pseudonymKey = next;
    await server.rememberPseudonymKey();
  };
  try {
    await server.start().catch((error) => {
      throw namingFile(file, error);
    });
    process.stdout.write(`dispatching at port ${server.port} until it is stopped (Ctrl+C)\n`);
    const reload = catalogueReload(server, live, file, catalogue, metrics, logger);
    const forget = onReloadSignal(() => {
      const apply = () => applyConfig(server, live, { file, key, logger });
      const onReloaded = (outcome: ConfigReloadOutcome) => metrics.config?.reloaded(outcome);
      // The catalogue first: the configuration may name an application that is new in it.
      void reload
        .reload()
        .then(() => reloadConfig({ file, logger, apply, onReloaded }))
        .catch(fail);
    });
    const stopped = new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
    try {
      await Promise.race([stopped, failed]);
    } finally {
      forget();
      await reload.stop();
      await server.stop();
    }
  } finally {
    await store.close();
  }
}

/** Sessions that are open keep the terms of their plan's version, as long as the catalogue has it. */
function catalogueReload(
  server: DispatchServer,
  live: LiveSettings,
  file: string,
  catalogue: Catalogue,
  metrics: { catalogue?: CatalogueMetrics },
  logger: Logger,
): CatalogueReload<Catalogue> {
  const compile = compileWholeInThread();
  let accounts = live.accounts.byApplication;
  const checked: CompileCatalogue<Catalogue> = async (path, before, signal) => {
    const compiled = await compile(path, before, signal);
    if (compiled.faults !== undefined) return compiled;
    const config = newestConfig(live, file);
    const faults = applicationFaults(config, compiled.catalogue, file);
    if (faults.length > 0) return { faults };
    try {
      accounts = accountsOf(config, compiled.catalogue, logger, live);
      return compiled;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return { faults: error.message.split('\n') };
    }
  };
  return new CatalogueReload({
    path: live.config.catalogue,
    catalogue,
    counted: packCounts(catalogue),
    reloadIntervalMs: 0,
    compile: checked,
    async take(next) {
      server.context.catalogue = next;
      live.accounts.take(accounts);
      metrics.catalogue?.taken(next.hash, next.plans.length);
    },
    takenMessage: 'sessions are given by another catalogue from now on',
    onReloaded: (outcome) => metrics.catalogue?.reloaded(outcome),
    clock: systemClock,
    logger,
  });
}

/** The configuration as its file is now; where that has faults, the one in use. */
function newestConfig(live: LiveSettings, file: string): LiveSettings['config'] {
  try {
    return readDispatchConfig(file, process.env);
  } catch {
    return live.config;
  }
}

async function applyConfig(
  server: DispatchServer,
  live: LiveSettings,
  { file, key, logger }: { file: string; key: DispatchKey; logger: Logger },
) {
  const before = live.config;
  const { catalogue } = server.context;
  const config = readDispatchConfig(file, process.env);
  const faults = applicationFaults(config, catalogue, file);
  if (faults.length > 0) throw new ConfigError(faults);
  const next = liveSettings(config, catalogue, logger, live);
  const isKeyNew = await key.reload();
  const nextStart = changedFields<LiveSettings['config']>(before, next.config, [
    'catalogue',
    'dataDir',
    'kafka',
    'store',
    'keys',
    'rateLimits',
    'reportLifetimeMs',
    'log',
  ]);
  const { tls: _, ...http } = before.http;
  if (changedFields(http, next.config.http, ['host', 'port', 'trustedProxies']).length > 0) nextStart.push('http');
  if (before.secrets.operator.reveal() !== next.config.secrets.operator.reveal()) nextStart.push('operatorSecretFile');
  if (pinsOf(live) !== pinsOf(next)) nextStart.push('proxies');
  const taken = isKeyNew || isOther(live, next);
  for (const [id, { secret }] of next.proxies) {
    const pin = live.proxies.get(id);
    if (pin !== undefined) live.proxies.set(id, { ...pin, secret });
  }
  live.accounts.take(next.accounts.byApplication);
  live.operatorKeys.clear();
  for (const [issuer, keys] of next.operatorKeys) live.operatorKeys.set(issuer, keys);
  Object.assign(live.patience, next.patience);
  Object.assign(live.sessionLimits, next.sessionLimits);
  live.config = next.config;
  if (next.tls !== undefined) server.useCertificate(next.tls);
  live.tls = next.tls;
  return { taken, nextStart };
}

/** Whether anything differs that is taken over; key sets and registries are taken from their files in any case. */
function isOther(live: LiveSettings, next: LiveSettings): boolean {
  const of = ({ config, proxies, patience, sessionLimits, tls }: LiveSettings) => {
    const secrets = [...proxies].map(([id, { secret }]) => [id, secret.reveal()]);
    return JSON.stringify([
      config.sessions,
      config.applications,
      config.operators,
      secrets,
      patience,
      sessionLimits,
      tls,
    ]);
  };
  return of(live) !== of(next);
}

/** All of the proxies but their secrets, which are taken over at once. */
function pinsOf({ proxies }: LiveSettings): string {
  return JSON.stringify([...proxies]);
}
