import { writeVarint } from '../../formats/varint.ts';
import type { FlowRecord } from '../flow-record.ts';
import { fingerprintOfDatum } from '../names.ts';

const utf8 = new TextEncoder();
/** More than the numbers and lengths take, and three octets for each unit of the texts. */
const ROOM_FOR_NUMBERS = 256;
let memory = new Uint8Array(1024);
let at = 0;

/**
 * A record as plain Avro writes it, in the layout of `schemas/flow-record.avsc`: one and the same whatever encoding carried
 * the record. The account at the end, the fields of the network before it, and the identities before them, are left out where there
 * are none, and none behind them: a record of before there were any stays the same. The octets are good until the next call.
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
  const hasAccount = record.accountId !== null;
  const hasNetwork = hasAccount || hasNetworkFields(record);
  if (hasNetwork || sponsorIdentity !== null || applicationServiceProviderIdentity !== null) {
    writeOptional(sponsorIdentity, writeText);
    writeOptional(applicationServiceProviderIdentity, writeText);
  }
  if (hasNetwork) writeNetwork(record);
  if (hasAccount) writeOptional(record.accountId, writeText);
  return memory.subarray(0, at);
}

function hasNetworkFields(record: FlowRecord): boolean {
  return (
    record.servingPlmn !== null ||
    record.ratType !== null ||
    record.trackingArea !== null ||
    record.detectedApplication !== null ||
    record.detectedBy !== null
  );
}

function writeNetwork(record: FlowRecord): void {
  writeOptional(record.servingPlmn, writeText);
  writeOptional(record.ratType, writeLong);
  writeOptional(record.trackingArea, writeText);
  writeOptional(record.detectedApplication, writeText);
  writeOptional(record.detectedBy, writeText);
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

function writeLong(value: number): void {
  at = writeVarint(memory, at, value);
}

/**
 * 32 bits over every field of a record, to distinguish a repeated record from another one under the same identity. It depends on
 * the content alone, not on the encoding that carried it: it is taken over the record as plain Avro writes it.
 */
export function fingerprintOf(record: FlowRecord): number {
  const datum = canonicalDatum(record);
  return fingerprintOfDatum(datum, 0, datum.length);
}
