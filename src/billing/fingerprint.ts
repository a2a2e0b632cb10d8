import {
  CONTENT_TYPE,
  type FlowFields,
  NODE_ID,
  REMOTE_IP,
  SERVED_IMSI,
  SERVED_MSISDN,
  TERMINAL_IP,
  ZERO_RATING_TAG,
} from './flow-fields.ts';
import type { FlowRecord } from './flow-record.ts';

/**
 * 32 bits over every field of a record, to tell a repeated record from another one under the same identity. It depends on
 * the content alone, not on the encoding that carried it. MurmurHash3's mixing (public domain, A. Appleby).
 */
export function fingerprintOf(record: FlowRecord): number {
  let hash = 0;
  hash = mixText(hash, record.nodeId);
  hash = mixNumber(hash, record.localSequenceNumber);
  hash = mixNumber(hash, record.chargingId);
  hash = mixNumber(hash, record.recordSequenceNumber);
  hash = mixText(hash, record.servedMsisdn);
  hash = mixText(hash, record.servedImsi);
  hash = mixNumber(hash, record.startTime);
  hash = mixNumber(hash, record.endTime);
  hash = mixText(hash, record.terminalIp);
  hash = mixNumber(hash, record.terminalPort);
  hash = mixText(hash, record.remoteIp);
  hash = mixNumber(hash, record.remotePort);
  hash = mixNumber(hash, record.protocol);
  hash = mixText(hash, record.zeroRatingTag);
  hash = mixText(hash, record.contentType);
  hash = mixNumber(hash, record.ratingGroup ?? -1);
  hash = mixNumber(hash, record.serviceIdentifier ?? -1);
  hash = mixNumber(hash, record.uplinkOctets);
  hash = mixNumber(hash, record.downlinkOctets);
  return finish(hash);
}

/** The same from a record's octets: they are ASCII, and so the characters. */
export function fingerprintOfFields(fields: FlowFields): number {
  let hash = 0;
  hash = mixSpan(hash, fields, NODE_ID);
  hash = mixNumber(hash, fields.localSequenceNumber);
  hash = mixNumber(hash, fields.chargingId);
  hash = mixNumber(hash, fields.recordSequenceNumber);
  hash = mixSpan(hash, fields, SERVED_MSISDN);
  hash = mixSpan(hash, fields, SERVED_IMSI);
  hash = mixNumber(hash, fields.startTimeMs);
  hash = mixNumber(hash, fields.endTimeMs);
  hash = mixSpan(hash, fields, TERMINAL_IP);
  hash = mixNumber(hash, fields.terminalPort);
  hash = mixSpan(hash, fields, REMOTE_IP);
  hash = mixNumber(hash, fields.remotePort);
  hash = mixNumber(hash, fields.protocol);
  hash = mixSpan(hash, fields, ZERO_RATING_TAG);
  hash = mixSpan(hash, fields, CONTENT_TYPE);
  hash = mixNumber(hash, fields.ratingGroup);
  hash = mixNumber(hash, fields.serviceIdentifier);
  hash = mixNumber(hash, fields.uplinkOctets);
  hash = mixNumber(hash, fields.downlinkOctets);
  return finish(hash);
}

export function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

export function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function mixNumber(hash: number, value: number): number {
  return mixWord(mixWord(hash, value | 0), Math.floor(value / 2 ** 32));
}

function mixSpan(hash: number, { octets, spans }: FlowFields, text: number): number {
  const start = spans[text * 2];
  if (start < 0) return mixWord(hash, -1);
  const end = spans[text * 2 + 1];
  let mixed = mixWord(hash, end - start);
  for (let at = start; at < end; at++) mixed = mixWord(mixed, octets[at]);
  return mixed;
}

function mixText(hash: number, text: string | null): number {
  // A length that no text has keeps null apart from the empty text.
  if (text === null) return mixWord(hash, -1);
  let mixed = mixWord(hash, text.length);
  for (let i = 0; i < text.length; i++) mixed = mixWord(mixed, text.charCodeAt(i));
  return mixed;
}
