import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { onStopSignal } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logger.ts';
import { loadProxyConfig } from '../proxy/load-proxy-config.ts';
import { ProxyServer } from '../proxy/proxy-server.ts';
import { reportFailure } from './failure.ts';

const STOP_GRACE_MS = 15_000;

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

Its secret, which no other proxy has, comes from the file or the environment variable that its configuration names. It runs until
SIGTERM or SIGINT, and then ends its sessions and reports their usage. docs/loop.md says what it bounds;
fixtures/demo/proxy.yaml is an example with every field.`,
    )
    .action(async ({ config: file }: { config: string }) => {
      const config = loadProxyConfig({ file, env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
      const logger = createLogger(config.log);
      // What cannot be counted does not pass: the connections go with the process.
      const fail = (error: unknown): never => process.exit(reportFailure(error));
      process.on('uncaughtException', fail);
      const server = new ProxyServer({ config, logger, onFailure: fail });
      await server.start().catch(fail);
      const { connect, socks5, relay } = server.endpoints;
      process.stdout.write(`${config.proxyId}: ${connect} ${socks5} ${relay}, control ${server.controlUrl}\n`);
      await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
      await server.stop();
    });
}
