import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';

/** Octets before the header: its length, big-endian. */
const LENGTH_OCTETS = 2;

const headerSchema = z.strictObject({
  /** Of the session, over all of its connections: each message's is higher than the one before. */
  sequence: z.int().min(0),
  messageId: z.string().min(1).max(64),
  /** Application account that it is for. */
  to: z.string().min(1).max(255),
  /** Application account that it is of; the proxy writes it, whatever the terminal says. */
  from: z.string().min(1).max(255).optional(),
  /** A file's name. */
  name: z.string().min(1).max(255).optional(),
  /** base64url of HMAC-SHA256 by the session key; from terminals only. */
  mac: z.string().max(64).optional(),
});
export type RelayHeader = z.output<typeof headerSchema>;

export interface RelayMessage {
  header: RelayHeader;
  payload: Uint8Array;
}

/** A binary WebSocket frame: two octets of length, the header as JSON, the payload. */
export function encodeRelayMessage({ header, payload }: RelayMessage): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(LENGTH_OCTETS);
  length.writeUInt16BE(json.length);
  return Buffer.concat([length, json, payload]);
}

/** Null when the frame is not of this shape. */
export function decodeRelayMessage(frame: Buffer): RelayMessage | null {
  if (frame.length < LENGTH_OCTETS) return null;
  const end = LENGTH_OCTETS + frame.readUInt16BE(0);
  if (end > frame.length) return null;
  const header = headerSchema.safeParse(parseJson(frame.toString('utf8', LENGTH_OCTETS, end)));
  return header.success ? { header: header.data, payload: frame.subarray(end) } : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What proves that a message is of the session and of this connection's content type, whole and in its place. */
export function messageMac(sessionKey: Buffer, contentType: string, { header, payload }: RelayMessage): string {
  const { sequence, messageId, to, name = '' } = header;
  return createHmac('sha256', sessionKey)
    .update(JSON.stringify([contentType, sequence, messageId, to, name]))
    .update(payload)
    .digest('base64url');
}

export function isMessageOf(sessionKey: Buffer, contentType: string, message: RelayMessage): boolean {
  const expected = Buffer.from(messageMac(sessionKey, contentType, message));
  const given = Buffer.from(message.header.mac ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** SOCKS5 user and password of a session (RFC 1929 has no room for a token): the token's id, and a proof by the session key. */
export function socks5Password(sessionKey: Buffer, tokenId: string): string {
  return createHmac('sha256', sessionKey).update(`socks5:${tokenId}`).digest('base64url');
}

/** Returns a SOCKS5 password that carries a session tag: proof and tag, a dot between them; neither contains one. */
export function taggedSocks5Password(proof: string, sessionTag: string): string {
  return `${proof}.${sessionTag}`;
}

/** Returns the proof of a SOCKS5 password and the session tags behind it: as many as there are dots. */
export function splitSocks5Password(password: string): { proof: string; sessionTags: string[] } {
  const [proof, ...sessionTags] = password.split('.');
  return { proof, sessionTags };
}

/** Text frames, JSON: what a proxy says to a terminal beside messages. */
export const relayNoticeSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('accepted'), messageId: z.string() }),
  z.strictObject({ type: z.literal('refused'), messageId: z.string().optional(), reason: z.string() }),
  z.strictObject({ type: z.literal('idle_prompt'), closesInMs: z.int().min(0) }),
  z.strictObject({
    type: z.literal('quota'),
    sponsoredOctetsCap: z.int().min(0),
    usedSponsoredOctets: z.int().min(0),
    remainingOctets: z.int().min(0).nullable(),
  }),
  z.strictObject({ type: z.literal('closing'), reason: z.string() }),
]);
export type RelayNotice = z.output<typeof relayNoticeSchema>;

/** The one text frame of a terminal: the answer to `idle_prompt`. */
export const stillHereSchema = z.strictObject({ type: z.literal('still_here') });
