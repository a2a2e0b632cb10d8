import type { FlowRecord } from '../flow-record.ts';

const utf8 = new TextEncoder();
/** More than the numbers and lengths take, and three octets for each unit of the texts. */
const ROOM_FOR_NUMBERS = 256;
let memory = new Uint8Array(1024);
let at = 0;

/**
 * A record as plain Avro writes it, in the layout of `schemas/flow-record.avsc`: one and the same whatever encoding carried
 * the record. The identities at the end are left out where there is none: a record of before there were any stays the
 * same. The octets are good until the next call.
 */
export function canonicalDatum(record: FlowRecord): Uint8Array {
  makeRoom(record);
  at = 0;
  writeText(record.nodeId);
  writeLong(record.localSequenceNumber);
  writeLong(record.chargingId);
  writeLong(record.recordSequenceNumber);
  writeText(record.servedMsisdn);
  writeOptional(record.servedImsi, writeText);
  writeLong(record.startTime);
  writeLong(record.endTime);
  writeText(record.terminalIp);
  writeText(record.remoteIp);
  writeLong(record.terminalPort);
  writeLong(record.remotePort);
  writeLong(record.protocol);
  writeOptional(record.zeroRatingTag, writeText);
  writeOptional(record.contentType, writeText);
  writeOptional(record.ratingGroup, writeLong);
  writeOptional(record.serviceIdentifier, writeLong);
  writeLong(record.uplinkOctets);
  writeLong(record.downlinkOctets);
  const { sponsorIdentity, applicationServiceProviderIdentity } = record;
  if (sponsorIdentity !== null || applicationServiceProviderIdentity !== null) {
    writeOptional(sponsorIdentity, writeText);
    writeOptional(applicationServiceProviderIdentity, writeText);
  }
  return memory.subarray(0, at);
}

function makeRoom(record: FlowRecord): void {
  let units = 0;
  for (const value of Object.values(record)) if (typeof value === 'string') units += value.length;
  const room = ROOM_FOR_NUMBERS + units * 3;
  if (memory.length < room) memory = new Uint8Array(room * 2);
}

function writeOptional<T>(value: T | null, write: (value: T) => void): void {
  writeLong(value === null ? 0 : 1);
  if (value !== null) write(value);
}

function writeText(text: string): void {
  const octets = utf8.encode(text);
  writeLong(octets.length);
  memory.set(octets, at);
  at += octets.length;
}

/** Zigzag, base 128; exact from 0 to 2^53 - 1. */
function writeLong(value: number): void {
  let rest = value * 2;
  // Doubling is exact: it moves the exponent only.
  for (; rest >= 128; rest = Math.floor(rest / 128)) memory[at++] = (rest % 128) | 128;
  memory[at++] = rest;
}

/**
 * 32 bits over every field of a record, to tell a repeated record from another one under the same identity. It depends on
 * the content alone, not on the encoding that carried it: it is taken over the record as plain Avro writes it.
 */
export function fingerprintOf(record: FlowRecord): number {
  const datum = canonicalDatum(record);
  return fingerprintOfDatum(datum, 0, datum.length);
}

/** The same of a record in plain Avro, from `start` to `end`. Eight octets at a time, in two hashes. */
export function fingerprintOfDatum(octets: Uint8Array, start: number, end: number): number {
  let even = end - start;
  let odd = 0;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = octets[at] | (octets[at + 1] << 8) | (octets[at + 2] << 16) | (octets[at + 3] << 24);
    const high = octets[at + 4] | (octets[at + 5] << 8) | (octets[at + 6] << 16) | (octets[at + 7] << 24);
    even = mixWord(even, low);
    odd = mixWord(odd, high);
  }
  for (; at < end; at++) even = mixWord(even, octets[at]);
  return finish(mixWord(even, odd));
}

/** MurmurHash3's mixing (public domain, A. Appleby). */
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
