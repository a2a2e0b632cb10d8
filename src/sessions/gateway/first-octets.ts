import { parseSocks5Credentials, parseSocks5Greeting } from '../../platform/network/socks5.ts';
import { splitSocks5Password } from '../protocol/relay-message.ts';
import { type ProxyPorts, SESSION_TAG_HEADER } from '../protocol/session-tag.ts';

export type Endpoint = keyof ProxyPorts;

/** What a terminal's first octets to a proxy hold: a request to one of its endpoints, with the session tags in it. */
interface TaggedRequest {
  endpoint: Endpoint;
  /** As text; of whatever form. */
  sessionTags: readonly string[];
}

/** What is known so far: nothing yet, that they hold no tag, why a request is not read, or the request. */
export type FirstOctets = 'incomplete' | 'no_tag' | 'malformed' | 'too_long' | TaggedRequest;

const SOCKS5 = 5;
/** CONNECT, and UDP ASSOCIATE (RFC 1928, 4): its datagrams are flows of their own, with a tag of their own. */
const SOCKS5_COMMANDS = [1, 3];
const FIRST_BUFFER_OCTETS = 1024;
const HEAD_END = Buffer.from('\r\n\r\n');
const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/;
const CONNECT = /^CONNECT [!-~]+ HTTP\/1\.1$/;
const RELAY = /^GET \/v1\/relay\/[a-z]+ HTTP\/1\.1$/;

/**
 * Reads the first octets of a terminal's connection to a proxy, however they are cut into segments, and no more than
 * `maxBytes` of them. It is stricter than the proxy: what two parsers could read in two ways is malformed.
 */
export class FirstOctetsReader {
  readonly #maxBytes: number;
  #octets = Buffer.alloc(0);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next segment. To be called until it returns something other than `incomplete`. */
  take(segment: Buffer): FirstOctets {
    const taken = segment.subarray(0, this.#maxBytes - this.#length);
    this.#append(taken);
    if (this.#length === 0) return 'incomplete';
    const octets = this.#octets.subarray(0, this.#length);
    const found = octets[0] === SOCKS5 ? readSocks5(octets) : this.#readHttp(octets, taken.length);
    return found === 'incomplete' && this.#length === this.#maxBytes ? 'too_long' : found;
  }

  /** Grows by doubling: octets that come one by one are not copied again each time. */
  #append(segment: Buffer): void {
    const needed = this.#length + segment.length;
    if (needed > this.#octets.length) {
      const size = Math.min(this.#maxBytes, Math.max(FIRST_BUFFER_OCTETS, 2 * this.#octets.length, needed));
      const larger = Buffer.alloc(size);
      this.#octets.copy(larger, 0, 0, this.#length);
      this.#octets = larger;
    }
    segment.copy(this.#octets, this.#length);
    this.#length = needed;
  }

  #readHttp(octets: Buffer, newOctets: number): FirstOctets {
    // Of CONNECT and of GET.
    if (octets[0] !== 0x43 && octets[0] !== 0x47) return 'no_tag';
    const from = Math.max(0, octets.length - newOctets - HEAD_END.length);
    const end = octets.indexOf(HEAD_END, from);
    return end < 0 ? 'incomplete' : readHead(octets.toString('latin1', 0, end));
  }
}

function readHead(head: string): FirstOctets {
  const [requestLine, ...lines] = head.split('\r\n');
  const endpoint = CONNECT.test(requestLine) ? 'connect' : RELAY.test(requestLine) ? 'relay' : null;
  if (endpoint === null) return 'no_tag';
  const sessionTags: string[] = [];
  for (const line of lines) {
    const header = readHeader(line);
    if (header === null) return 'malformed';
    if (header.name === SESSION_TAG_HEADER) sessionTags.push(header.value);
  }
  return sessionTags.length === 0 ? 'no_tag' : { endpoint, sessionTags };
}

/** Null for what is no header field of RFC 9112: a folded line, a space before the colon, a control character. */
function readHeader(line: string): { name: string; value: string } | null {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon));
  const value = line.slice(colon + 1);
  if (!TOKEN.test(name) || hasControlCharacter(value)) return null;
  return { name: name.toLowerCase(), value: value.trim() };
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

function readSocks5(octets: Buffer): FirstOctets {
  const greeting = parseSocks5Greeting(octets);
  if (greeting === null) return 'incomplete';
  if (greeting.value === undefined) return 'no_tag';
  const credentials = parseSocks5Credentials(octets.subarray(greeting.length));
  if (credentials === null) return 'incomplete';
  if (credentials.value === undefined) return 'no_tag';
  const { sessionTags } = splitSocks5Password(credentials.value.password);
  if (sessionTags.length === 0) return 'no_tag';
  const requestAt = greeting.length + credentials.length;
  if (octets.length < requestAt + 2) return 'incomplete';
  const isServed = octets[requestAt] === SOCKS5 && SOCKS5_COMMANDS.includes(octets[requestAt + 1]);
  return isServed ? { endpoint: 'socks5', sessionTags } : 'no_tag';
}

/** The first octets of the proxy's answer to a request that it takes. */
const ACCEPTED: Readonly<Record<Endpoint, Buffer>> = {
  connect: Buffer.from('HTTP/1.1 200 '),
  relay: Buffer.from('HTTP/1.1 101 '),
  // The method, the password, and the connection to the host (RFC 1928, 1929).
  socks5: Buffer.from([5, 2, 1, 0, 5, 0]),
};

/** Reads whether the proxy takes the request, from the first octets that it answers. */
export class AnswerReader {
  readonly #expected: Buffer;
  #matched = 0;

  constructor(endpoint: Endpoint) {
    this.#expected = ACCEPTED[endpoint];
  }

  /** Takes the next segment. True: accepted; false: anything else was answered; null: not known yet. */
  take(segment: Buffer): boolean | null {
    for (const octet of segment) {
      if (octet !== this.#expected[this.#matched]) return false;
      if (++this.#matched === this.#expected.length) return true;
    }
    return null;
  }
}
