import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** ApiVersions, version 0, of client "probe"; brokers answer it before any login. */
const API_VERSIONS = Buffer.from('0000000f001200007a65726f000570726f6265', 'hex');
const CORRELATION_ID = 0x7a65726f;

/** Whether a Kafka broker answers at host:port, over TLS if `ssl` is given. Nothing is checked of its certificate. */
export function speaksKafka(address: string, timeoutMs: number, ssl?: ConnectionOptions): Promise<boolean> {
  return attempt(address, timeoutMs, ssl, (socket, done) => {
    socket.on('data', (octets: Buffer) => done(octets.length >= 8 && octets.readInt32BE(4) === CORRELATION_ID));
    socket.write(API_VERSIONS);
  });
}

/** Whether a TLS handshake with host:port gets as far as its certificate. */
export function speaksTls(address: string, timeoutMs: number): Promise<boolean> {
  return attempt(address, timeoutMs, {}, (_socket, done) => done(true));
}

function attempt(
  address: string,
  timeoutMs: number,
  ssl: ConnectionOptions | undefined,
  onConnected: (socket: Socket, done: (result: boolean) => void) => void,
): Promise<boolean> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const port = Number(address.slice(at + 1));
  return new Promise((resolve) => {
    const connected = () => onConnected(socket, done);
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket: Socket =
      ssl === undefined
        ? connectTcp({ host, port }, connected)
        : connectTls({ ...servername, ...ssl, host, port, rejectUnauthorized: false }, connected);
    const timer = setTimeout(done, timeoutMs, false);
    socket.on('error', () => done(false));
    socket.on('close', () => done(false));
    function done(result: boolean) {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    }
  });
}
