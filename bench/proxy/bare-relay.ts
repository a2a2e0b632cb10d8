import { type AddressInfo, connect, createServer } from 'node:net';

// Usage: bare-relay.ts PORT. Joins every connection to that port, as little as Node can do; prints its own port.
const port = Number(process.argv[2]);
const server = createServer({ allowHalfOpen: true, noDelay: true }, (terminal) => {
  const host = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  terminal.pipe(host);
  host.pipe(terminal);
  terminal.on('error', () => host.destroy());
  host.on('error', () => terminal.destroy());
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`));
