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

const utf8 = new TextEncoder();

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
  hash = mixText(hash, record.remoteIp);
  hash = mixWord(hash, (record.terminalPort << 16) | record.remotePort);
  hash = mixWord(hash, record.protocol);
  hash = mixText(hash, record.zeroRatingTag);
  hash = mixText(hash, record.contentType);
  hash = mixWord(hash, record.ratingGroup ?? -1);
  hash = mixWord(hash, record.serviceIdentifier ?? -1);
  hash = mixNumber(hash, record.uplinkOctets);
  hash = mixNumber(hash, record.downlinkOctets);
  return finish(hash);
}

/** The same from a record's octets. */
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
  hash = mixSpan(hash, fields, REMOTE_IP);
  hash = mixWord(hash, (fields.terminalPort << 16) | fields.remotePort);
  hash = mixWord(hash, fields.protocol);
  hash = mixSpan(hash, fields, ZERO_RATING_TAG);
  hash = mixSpan(hash, fields, CONTENT_TYPE);
  hash = mixWord(hash, fields.ratingGroup);
  hash = mixWord(hash, fields.serviceIdentifier);
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
  return start < 0 ? mixNull(hash) : mixOctets(hash, octets, start, spans[text * 2 + 1]);
}

function mixText(hash: number, text: string | null): number {
  if (text === null) return mixNull(hash);
  const octets = utf8.encode(text);
  return mixOctets(hash, octets, 0, octets.length);
}

/** A length that no text has keeps null apart from the empty text. */
function mixNull(hash: number): number {
  return mixWord(hash, -1);
}

/** Four octets at a time. */
function mixOctets(hash: number, octets: Uint8Array, start: number, end: number): number {
  let mixed = mixWord(hash, end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    mixed = mixWord(mixed, octets[at] | (octets[at + 1] << 8) | (octets[at + 2] << 16) | (octets[at + 3] << 24));
  }
  if (at === end) return mixed;
  let rest = 0;
  for (let shift = 0; at < end; shift += 8) rest |= octets[at++] << shift;
  return mixWord(mixed, rest);
}
