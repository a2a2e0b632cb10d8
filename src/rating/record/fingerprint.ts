import { writeVarint } from '../../formats/varint.ts';
import type { FlowRecord } from '../flow-record.ts';
import { fingerprintOfDatum } from '../names.ts';

const utf8 = new TextEncoder();
/** More than a record takes whose texts are as long as they may be, three octets for each unit. */
const ROOM = 16 * 1024;
const memory = new Uint8Array(ROOM);
let at = 0;

/**
 * A record as plain Avro writes it, in the layout of `schemas/flow-record.avsc`: one and the same whatever encoding carried
 * the record. The account at the end, the fields of the network before it, and the identities before them, are left out where there
 * are none, and none behind them: a record of before there were any stays the same. The octets are good until the next call. Texts are
 * within MAX_TEXT_LENGTH.
 */
export function canonicalDatum(record: FlowRecord): Uint8Array {
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
  if (at > ROOM) throw new Error(`a record of ${at} octets was not validated`);
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

function writeOptional<T>(value: T | null, write: (value: T) => void): void {
  writeLong(value === null ? 0 : 1);
  if (value !== null) write(value);
}

/** Nearly all texts are short and ASCII: an octet a unit is copied faster here than by an encoder. */
function writeText(text: string): void {
  const start = at;
  writeLong(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) {
      at = start;
      writeUtf8(text);
      return;
    }
    memory[at++] = unit;
  }
}

function writeUtf8(text: string): void {
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
