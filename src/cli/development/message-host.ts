import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { CallHost } from '../../development/call-host.ts';
import { MediaHost } from '../../development/media-host.ts';
import { MessageHub } from '../../development/message-hub.ts';
import { onStopSignal } from '../../platform/lifecycle.ts';

const HOST = '127.0.0.1';
const STOP_GRACE_MS = 5000;

export function registerMessageHost(program: Command): void {
  program
    .command('message-host')
    .description(
      'run an application’s message server and its hosts for files and calls on the loopback interface, for development',
    )
    .option('--port <number>', 'of the message server (WebSocket), as relayUpstream of proxy.yaml names it', port, 9000)
    .option('--media-port <number>', 'of the media host (HTTP), as hosts of proxy.yaml has it', port, 9001)
    .option('--call-port <number>', 'of the host for calls (UDP), as hosts of proxy.yaml has it', port, 9002)
    .addHelpText(
      'after',
      `
Example:
  $ zerorate message-host

Messages go to the terminals that are connected with the receiver's account; no message is kept. PUT of any path on the media host takes
a file, GET /OCTETS gives one of so many octets. The host for calls sends each datagram back.`,
    )
    .action(async (ports: { port: number; mediaPort: number; callPort: number }) => {
      const messages = new MessageHub();
      const media = new MediaHost();
      const calls = new CallHost();
      const url = await messages.start(HOST, ports.port);
      const mediaUrl = `http://${HOST}:${await media.start(HOST, ports.mediaPort)}`;
      const callAddress = `${HOST}:${await calls.start(HOST, ports.callPort)}`;
      process.stdout.write(
        `messages at ${url}, media at ${mediaUrl}, calls at ${callAddress} (UDP), until it is stopped (Ctrl+C)\n`,
      );
      await new Promise<void>((resolve) => onStopSignal(resolve, STOP_GRACE_MS));
      await Promise.all([messages.stop(), media.stop(), calls.stop()]);
    });
}

function port(text: string): number {
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number < 1 || number > 65_535) {
    throw new InvalidArgumentError('Expected a port, 1 to 65535.');
  }
  return number;
}
