import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { formatIp, parseIp } from '../../rating/ip-address.ts';
import { SESSION_CONTENT_TYPES, type SessionContentType } from './content-octets.ts';
import type { TokenSigningKey } from './session-token.ts';

/** Header of CONNECT and of the relay's upgrade that carries a session tag as text. */
export const SESSION_TAG_HEADER = 'zerorate-tag';
/** A tag is so long, always; `docs/concepts/tags.md` has its layout octet by octet. */
export const SESSION_TAG_OCTETS = 148;
/** base64url without padding. */
export const SESSION_TAG_TEXT_LENGTH = 198;
/** A tag expires with its session's token, and no token is valid for longer than a day: neither is a tag, whatever it says. */
const SESSION_TAG_MAX_LIFETIME_MS = 86_400_000;

const VERSION = 1;
const KEY_HINT_OCTETS = 8;
const SESSION_OCTETS = 16;
const NAME_OCTETS = 8;
const ADDRESS_OCTETS = 16;
const AT = {
  keyHint: 1,
  expiry: 9,
  session: 13,
  terminal: 29,
  proxyAddress: 45,
  ports: 61,
  proxy: 67,
  application: 75,
};
const CONTENT_TYPE_AT = 83;
const SIGNED_OCTETS = 84;
/** Before the signed octets: a signature of this key for anything else (a token) is none of a tag. */
const CONTEXT = Buffer.from('zerorate-session-tag\0');

/** Ports of a proxy's endpoints as terminals reach them; 0: it has no such endpoint. */
export interface ProxyPorts {
  connect: number;
  socks5: number;
  relay: number;
}

/** What the dispatch server signs: traffic of one session, terminal, proxy and application that carries one content type. */
export interface SessionTagClaims {
  sessionId: string;
  terminalIp: string;
  proxyId: string;
  /** Null: the proxy's endpoints are given by names, so the verifier knows its addresses. */
  proxyIp: string | null;
  proxyPorts: ProxyPorts;
  applicationId: string;
  contentType: SessionContentType;
  /** In whole seconds. */
  expiresAtMs: number;
}

/** A tag as it is read. Ids are digests in hexadecimal: compare them with `sessionDigest` and `nameDigest`. */
export interface SessionTag {
  keyHint: string;
  expiresAtMs: number;
  session: string;
  terminalIp: string;
  proxyIp: string | null;
  proxyPorts: ProxyPorts;
  proxy: string;
  application: string;
  contentType: SessionContentType;
}

/** Returns the octets that represent a session's id in a tag, in hexadecimal. */
function sessionDigest(sessionId: string): string {
  return digest(sessionId, SESSION_OCTETS);
}

/** Returns the octets that represent a proxy's or an application's id in a tag, in hexadecimal. */
export function nameDigest(name: string): string {
  return digest(name, NAME_OCTETS);
}

/** Returns the octets by which a tag names its key, in hexadecimal. */
export function keyHintOf(keyId: string): string {
  return digest(keyId, KEY_HINT_OCTETS);
}

/** Returns a signed tag of SESSION_TAG_OCTETS. Throws a RangeError when an address or the expiry does not fit. */
export function signSessionTag(claims: SessionTagClaims, { keyId, privateKey }: TokenSigningKey): Buffer {
  const octets = Buffer.alloc(SESSION_TAG_OCTETS);
  octets[0] = VERSION;
  octets.write(keyHintOf(keyId), AT.keyHint, 'hex');
  octets.writeUInt32BE(claims.expiresAtMs / 1000, AT.expiry);
  octets.write(sessionDigest(claims.sessionId), AT.session, 'hex');
  writeAddress(octets, claims.terminalIp, AT.terminal);
  if (claims.proxyIp !== null) writeAddress(octets, claims.proxyIp, AT.proxyAddress);
  const { connect, socks5, relay } = claims.proxyPorts;
  for (const [at, port] of [connect, socks5, relay].entries()) octets.writeUInt16BE(port, AT.ports + at * 2);
  octets.write(nameDigest(claims.proxyId), AT.proxy, 'hex');
  octets.write(nameDigest(claims.applicationId), AT.application, 'hex');
  octets[CONTENT_TYPE_AT] = SESSION_CONTENT_TYPES.indexOf(claims.contentType);
  sign(null, signedPart(octets), privateKey).copy(octets, SIGNED_OCTETS);
  return octets;
}

/** Returns the fields of a tag without verifying its signature; null when it is not of this layout. */
export function readSessionTag(octets: Buffer): SessionTag | null {
  if (octets.length !== SESSION_TAG_OCTETS || octets[0] !== VERSION) return null;
  const contentType = SESSION_CONTENT_TYPES[octets[CONTENT_TYPE_AT]];
  if (contentType === undefined) return null;
  const hex = (start: number, length: number) => octets.toString('hex', start, start + length);
  const isAnyAddress = octets.subarray(AT.proxyAddress, AT.ports).every((octet) => octet === 0);
  return {
    keyHint: hex(AT.keyHint, KEY_HINT_OCTETS),
    expiresAtMs: octets.readUInt32BE(AT.expiry) * 1000,
    session: hex(AT.session, SESSION_OCTETS),
    terminalIp: readAddress(octets, AT.terminal),
    proxyIp: isAnyAddress ? null : readAddress(octets, AT.proxyAddress),
    proxyPorts: {
      connect: octets.readUInt16BE(AT.ports),
      socks5: octets.readUInt16BE(AT.ports + 2),
      relay: octets.readUInt16BE(AT.ports + 4),
    },
    proxy: hex(AT.proxy, NAME_OCTETS),
    application: hex(AT.application, NAME_OCTETS),
    contentType,
  };
}

/** Returns a tag's octets of its text; null when that is not the one base64url form of as many octets. */
export function parseSessionTag(text: string): Buffer | null {
  if (text.length !== SESSION_TAG_TEXT_LENGTH || !/^[\w-]+$/.test(text)) return null;
  const octets = Buffer.from(text, 'base64url');
  return octets.length === SESSION_TAG_OCTETS && octets.toString('base64url') === text ? octets : null;
}

/** Returns a tag as text. */
export function formatSessionTag(octets: Buffer): string {
  return octets.toString('base64url');
}

/** Returns the public keys that verify tags, by key hint, of a JWK set; keys of other types are left out. Throws a TypeError when it is none. */
export function sessionTagKeys(keySet: unknown): Map<string, KeyObject> {
  const { keys } = (keySet ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new TypeError('expected a JWK set: an object with the array "keys"');
  const byHint = new Map<string, KeyObject>();
  for (const jwk of keys) {
    // Only the public half, and only of this one algorithm: what else a key says decides nothing.
    const { kty, crv, x, kid } = (jwk ?? {}) as Record<string, unknown>;
    if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || typeof kid !== 'string') continue;
    byHint.set(keyHintOf(kid), createPublicKey({ key: { kty, crv, x }, format: 'jwk' }));
  }
  return byHint;
}

export type KeyLookup = KeyObject | 'unknown' | 'unreachable';
/** Finds the key of a tag by its hint. Returns a key at once when it is known; asks the dispatch server else. */
export type FindTagKey = (keyHint: string) => KeyLookup | Promise<KeyLookup>;

/** Why a tag is not valid, in the order of the checks. */
type TagFault = 'malformed' | 'key_unknown' | 'keys_unreachable' | 'forged' | 'expired';
export type TagVerdict = { tag: SessionTag; fault?: undefined } | { fault: TagFault };

/**
 * Verifies layout, signature and time of a tag. What it is bound to (terminal, proxy, session, application, content type) is
 * for the caller to compare: `tagMismatch`. Synchronous unless the key must be fetched.
 */
export function verifySessionTag(
  octets: Buffer,
  { findKey, nowMs }: { findKey: FindTagKey; nowMs: () => number },
): TagVerdict | Promise<TagVerdict> {
  const tag = readSessionTag(octets);
  if (tag === null) return { fault: 'malformed' };
  // A tag that waits for its key must not expire meanwhile.
  const arrivedAtMs = nowMs();
  const found = findKey(tag.keyHint);
  const judge = (key: KeyLookup) => judged(octets, tag, key, arrivedAtMs);
  return found instanceof Promise ? found.then(judge) : judge(found);
}

function judged(octets: Buffer, tag: SessionTag, key: KeyLookup, nowMs: number): TagVerdict {
  if (key === 'unreachable') return { fault: 'keys_unreachable' };
  if (key === 'unknown') return { fault: 'key_unknown' };
  if (!verify(null, signedPart(octets), key, octets.subarray(SIGNED_OCTETS))) return { fault: 'forged' };
  const lifetimeMs = tag.expiresAtMs - nowMs;
  return lifetimeMs > 0 && lifetimeMs <= SESSION_TAG_MAX_LIFETIME_MS ? { tag } : { fault: 'expired' };
}

/** What a verified tag must be bound to; a field that is absent is not compared. */
export interface TagBinding {
  sessionId?: string;
  terminalIp?: string;
  proxyId?: string;
  applicationId?: string;
  contentType?: SessionContentType;
  /** Where the terminal's traffic goes to. */
  destination?: { ip: string; endpoint?: keyof ProxyPorts; port?: number };
}

export type TagMismatch =
  | 'other_terminal'
  | 'other_proxy'
  | 'other_session'
  | 'other_application'
  | 'other_content_type';

/** Returns the first thing that a verified tag is not bound to; null when it is bound to all of it. */
export function tagMismatch(tag: SessionTag, binding: TagBinding): TagMismatch | null {
  const { sessionId, terminalIp, proxyId, applicationId, contentType, destination } = binding;
  if (terminalIp !== undefined && !isSameAddress(tag.terminalIp, terminalIp)) return 'other_terminal';
  if (proxyId !== undefined && tag.proxy !== nameDigest(proxyId)) return 'other_proxy';
  if (destination !== undefined && !leadsTo(tag, destination)) return 'other_proxy';
  if (sessionId !== undefined && tag.session !== sessionDigest(sessionId)) return 'other_session';
  if (applicationId !== undefined && tag.application !== nameDigest(applicationId)) return 'other_application';
  return contentType !== undefined && tag.contentType !== contentType ? 'other_content_type' : null;
}

function leadsTo(
  { proxyIp, proxyPorts }: SessionTag,
  { ip, endpoint, port }: NonNullable<TagBinding['destination']>,
): boolean {
  if (proxyIp !== null && !isSameAddress(proxyIp, ip)) return false;
  return endpoint === undefined || port === undefined || (port !== 0 && proxyPorts[endpoint] === port);
}

function isSameAddress(one: string, other: string): boolean {
  const [a, b] = [new Uint32Array(4), new Uint32Array(4)];
  return parseIp(one, a, 0) && parseIp(other, b, 0) && a.every((word, at) => word === b[at]);
}

function signedPart(octets: Buffer): Buffer {
  return Buffer.concat([CONTEXT, octets.subarray(0, SIGNED_OCTETS)]);
}

/** IPv4 as ::ffff:a.b.c.d. */
function writeAddress(octets: Buffer, ip: string, at: number): void {
  const words = new Uint32Array(4);
  if (!parseIp(ip, words, 0)) throw new RangeError(`${ip} is no IP address`);
  for (const [i, word] of words.entries()) octets.writeUInt32BE(word, at + i * 4);
}

function readAddress(octets: Buffer, at: number): string {
  const words = new Uint32Array(ADDRESS_OCTETS / 4);
  for (let i = 0; i < words.length; i++) words[i] = octets.readUInt32BE(at + i * 4);
  return formatIp(words);
}

function digest(text: string, octets: number): string {
  return createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, octets * 2);
}
