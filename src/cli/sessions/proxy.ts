import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Registry } from 'prom-client';
import { onReloadSignal, onStopSignal } from '../../platform/lifecycle.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { type ConfigReloadOutcome, ReloadMetrics } from '../../platform/telemetry/reload-metrics.ts';
import { loadProxyConfig, type ProxyConfig } from '../../sessions/proxy/load-proxy-config.ts';
import { ProxyServer } from '../../sessions/proxy/proxy-server.ts';
import { namingFile, reportFailure } from '../failure.ts';
import { changedFields, reloadConfig } from './reload-config.ts';

const STOP_GRACE_MS = 15_000;
/** Fields that a running proxy does not take over. */
const NEXT_START = [
  'proxyId',
  'region',
  'dataDir',
  'listen',
  'dispatch',
  'gateway',
  'statistics',
  'idle',
  'limits',
  'log',
] as const;

export function registerProxy(program: Command): void {
  program
    .command('proxy')
    .description('run a proxy server: HTTP CONNECT, SOCKS5 and a message relay for sessions of the dispatch server')
    .requiredOption('-c, --config <file>', 'its configuration, proxy.yaml')
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate proxy --config proxy.yaml

Its secret, which no other proxy has, comes from the file or the environment variable that its configuration names.
SIGHUP makes it read its applications and certificates again. It runs until SIGTERM or SIGINT, and then ends its sessions and reports their usage. docs/operate/proxy.md says what it bounds;
fixtures/demo/proxy.yaml is a commented example, schemas/proxy.schema.json describes every field.`,
    )
    .action(async ({ config: file }: { config: string }) => {
      const read = () => loadProxyConfig({ file, env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
      const config = read();
      const logger = createLogger(config.log);
      // What cannot be counted does not pass: the connections go with the process.
      const fail = (error: unknown): never => process.exit(reportFailure(error));
      process.on('uncaughtException', fail);
      let metrics: ReloadMetrics | null = null;
      const onMetrics = (registry: Registry) => {
        metrics = new ReloadMetrics(registry);
      };
      const server = new ProxyServer({ config, logger, onMetrics, onFailure: fail });
      await server.start().catch((error) => fail(namingFile(file, error)));
      const { connect, socks5, relay } = server.endpoints;
      process.stdout.write(`${config.proxyId}: ${connect} ${socks5} ${relay}, control ${server.controlUrl}\n`);
      const apply = applyTo(server, config, read);
      const onReloaded = (outcome: ConfigReloadOutcome) => metrics?.reloaded(outcome);
      const forget = onReloadSignal(() => void reloadConfig({ file, logger, apply, onReloaded }).catch(fail));
      await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
      forget();
      await server.stop();
    });
}

/** Takes over applications and certificates; all else counts from the next start. */
function applyTo(server: ProxyServer, started: ProxyConfig, read: () => ProxyConfig) {
  let { applications } = started;
  return () => {
    const next = read();
    const taken = JSON.stringify(applications) !== JSON.stringify(next.applications);
    applications = next.applications;
    server.reload(applications);
    const nextStart = changedFields(started, next, NEXT_START);
    if (started.secret.reveal() !== next.secret.reveal()) nextStart.push('dispatch.secretFile');
    return { taken, nextStart };
  };
}
