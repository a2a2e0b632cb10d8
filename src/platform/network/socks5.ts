import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';

const VERSION = 5;
const AUTH_VERSION = 1;
const USER_AND_PASSWORD = 2;
const NO_METHOD = 0xff;
const COMMANDS = { 1: 'connect', 3: 'udp_associate' } as const;
const ADDRESS_V4 = 1;
const ADDRESS_NAME = 3;
const ADDRESS_V6 = 4;

/** RFC 1928, 6. */
const SOCKS5_REPLIES = {
  succeeded: 0,
  general_failure: 1,
  not_allowed: 2,
  network_unreachable: 3,
  host_unreachable: 4,
  connection_refused: 5,
  command_not_supported: 7,
  address_not_supported: 8,
} as const;
export type Socks5Reply = keyof typeof SOCKS5_REPLIES;

export interface Socks5Credentials {
  user: string;
  password: string;
}

export interface Socks5Destination {
  /** A name as the client wrote it, or an address. */
  host: string;
  port: number;
}

type Socks5Command = (typeof COMMANDS)[keyof typeof COMMANDS];

export interface Socks5Ask {
  command: Socks5Command;
  /** CONNECT: where to. UDP ASSOCIATE: where the client's datagrams come from; port 0 if it does not say (RFC 1928, 6). */
  destination: Socks5Destination;
}

/**
 * What has been read of a message: null when octets are missing still, else its value and length; or the reply to refuse it
 * with. No message is longer than 513 octets.
 */
export type Socks5Parsed<T> =
  | null
  | { value: T; length: number; fault?: undefined }
  | { fault: Socks5Reply; value?: undefined };

/** The client's greeting: the methods that it offers (RFC 1928, 3). */
export function parseSocks5Greeting(octets: Buffer): Socks5Parsed<number[]> {
  if (octets.length < 1) return null;
  if (octets[0] !== VERSION) return { fault: 'general_failure' };
  if (octets.length < 2 || octets.length < 2 + octets[1]) return null;
  const length = 2 + octets[1];
  return { value: [...octets.subarray(2, length)], length };
}

/** User and password (RFC 1929, 2). */
export function parseSocks5Credentials(octets: Buffer): Socks5Parsed<Socks5Credentials> {
  if (octets.length < 1) return null;
  if (octets[0] !== AUTH_VERSION) return { fault: 'general_failure' };
  if (octets.length < 2) return null;
  const userEnd = 2 + octets[1];
  if (octets.length < userEnd + 1) return null;
  const length = userEnd + 1 + octets[userEnd];
  if (octets.length < length) return null;
  return {
    value: { user: octets.toString('utf8', 2, userEnd), password: octets.toString('utf8', userEnd + 1, length) },
    length,
  };
}

/** The request (RFC 1928, 4): CONNECT or UDP ASSOCIATE. */
export function parseSocks5Request(octets: Buffer): Socks5Parsed<Socks5Ask> {
  if (octets.length >= 1 && octets[0] !== VERSION) return { fault: 'general_failure' };
  if (octets.length < 5) return null;
  const command = COMMANDS[octets[1] as keyof typeof COMMANDS];
  if (command === undefined) return { fault: 'command_not_supported' };
  const address = parseSocks5Address(octets, 3);
  if (address === null || address.fault !== undefined) return address;
  return { value: { command, destination: address.value }, length: address.length };
}

/** Address and port of a request, a reply or a datagram (RFC 1928, 5), from the octet of its kind on; `length` is where they end. */
export function parseSocks5Address(octets: Buffer, at: number): Socks5Parsed<Socks5Destination> {
  if (octets.length < at + 2) return null;
  const kind = octets[at];
  const isName = kind === ADDRESS_NAME;
  if (!isName && kind !== ADDRESS_V4 && kind !== ADDRESS_V6) return { fault: 'address_not_supported' };
  const start = at + (isName ? 2 : 1);
  const end = start + (isName ? octets[at + 1] : kind === ADDRESS_V4 ? 4 : 16);
  if (end === start) return { fault: 'general_failure' };
  if (octets.length < end + 2) return null;
  const address = octets.subarray(start, end);
  const host = isName ? address.toString('latin1') : kind === ADDRESS_V4 ? address.join('.') : ipv6(address);
  return { value: { host, port: octets.readUInt16BE(end) }, length: end + 2 };
}

/** Eight groups, none of them shortened. */
function ipv6(address: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => address.readUInt16BE(group * 2).toString(16)).join(':');
}

/** Kind, address and port as they are on the wire (RFC 1928, 5). Throws a TypeError for a name longer than 255 octets. */
export function socks5Address({ host, port }: Socks5Destination): Buffer {
  const portOctets = Buffer.of(port >> 8, port & 255);
  switch (isIP(host)) {
    case 4:
      return Buffer.concat([Buffer.of(ADDRESS_V4, ...host.split('.').map(Number)), portOctets]);
    case 6:
      return Buffer.concat([Buffer.of(ADDRESS_V6), ipv6Octets(host), portOctets]);
  }
  const name = Buffer.from(host, 'latin1');
  if (name.length === 0 || name.length > 255)
    throw new TypeError(`a host name has 1 to 255 octets, not ${name.length}`);
  return Buffer.concat([Buffer.of(ADDRESS_NAME, name.length), name, portOctets]);
}

/** The 16 octets of an IPv6 address in any notation; its zone is left out. */
function ipv6Octets(address: string): Buffer {
  // A URL writes it with hexadecimal groups alone, and with one gap at most.
  const [before, after = ''] = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1).split('::');
  const groupsOf = (text: string) => text.split(':').filter((group) => group !== '');
  const [leading, trailing] = [groupsOf(before), groupsOf(after)];
  const octets = Buffer.alloc(16);
  for (const [at, group] of leading.entries()) octets.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  const start = 16 - trailing.length * 2;
  for (const [at, group] of trailing.entries()) octets.writeUInt16BE(Number.parseInt(group, 16), start + at * 2);
  return octets;
}

/** An answer to a request. `bound`: where datagrams are to be sent (UDP ASSOCIATE); else 0.0.0.0:0, as no client of CONNECT needs it. */
export function socks5Reply(reply: Socks5Reply, bound: Socks5Destination = { host: '0.0.0.0', port: 0 }): Buffer {
  return Buffer.concat([Buffer.of(VERSION, SOCKS5_REPLIES[reply], 0), socks5Address(bound)]);
}

export interface Socks5Request<T> {
  /** What `authenticate` made of the credentials. */
  client: T;
  command: Socks5Command;
  destination: Socks5Destination;
}

/**
 * Speaks the server's side of a connection up to the request, which the caller answers with `socks5Reply`. Null when the client
 * broke off, spoke another protocol or was refused: it has its answer, and the connection is the caller's to close.
 * `authenticate` gives null for credentials that are not good. Octets that come behind the request stay in the stream.
 */
export async function acceptSocks5<T>(
  stream: Duplex,
  authenticate: (credentials: Socks5Credentials) => T | null,
): Promise<Socks5Request<T> | null> {
  const methods = await read(stream, parseSocks5Greeting);
  if (methods?.value === undefined) return null;
  const isOffered = methods.value.includes(USER_AND_PASSWORD);
  stream.write(Buffer.from([VERSION, isOffered ? USER_AND_PASSWORD : NO_METHOD]));
  if (!isOffered) return null;
  const credentials = await read(stream, parseSocks5Credentials);
  if (credentials?.value === undefined) return null;
  const client = authenticate(credentials.value);
  stream.write(Buffer.from([AUTH_VERSION, client === null ? 1 : 0]));
  if (client === null) return null;
  const request = await read(stream, parseSocks5Request);
  if (request?.fault !== undefined) stream.write(socks5Reply(request.fault));
  return request?.value === undefined ? null : { client, ...request.value };
}

/** Reads one message and puts back what comes behind it; null when the stream ends before. */
function read<T>(stream: Duplex, parse: (octets: Buffer) => Socks5Parsed<T>): Promise<Socks5Parsed<T>> {
  return new Promise((resolve) => {
    let octets: Buffer = Buffer.alloc(0);
    const settle = (parsed: Socks5Parsed<T>): void => {
      stream.off('data', take).off('end', broken).off('close', broken).off('error', broken);
      stream.pause();
      resolve(parsed);
    };
    const take = (chunk: Buffer): void => {
      octets = octets.length === 0 ? chunk : Buffer.concat([octets, chunk]);
      const parsed = parse(octets);
      if (parsed === null) return;
      settle(parsed);
      if (parsed.fault === undefined && parsed.length < octets.length) stream.unshift(octets.subarray(parsed.length));
    };
    const broken = (): void => settle(null);
    stream.on('data', take).on('end', broken).on('close', broken).on('error', broken);
    stream.resume();
  });
}
