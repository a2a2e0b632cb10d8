import type { AvroRecord, AvroType } from './decode/avro-schema.ts';
import {
  ASP_IDENTITY,
  CONTENT_TYPES,
  type FlowFields,
  MAX_TIME_MS,
  MIN_TIME_MS,
  NODE_ID,
  NULL,
  OTHER_TEXT,
  SERVED_MSISDN,
  SPONSOR_IDENTITY,
  ZERO_RATING_TAG,
} from './flow-record.ts';
import { parseIpOctets } from './ip-address.ts';
import { ABSENT, OctetMap } from './octet-map.ts';
import { MAX_TEXT_LENGTH } from './record/validate.ts';

const MAX_INT32 = 2 ** 31 - 1;
const MAX_PORT = 65535;
const MAX_PROTOCOL = 255;
const MAX_MSISDN_DIGITS = 15;
const ZERO = 0x30;
const ASCII = 0x7f;
/** Anything that this reader leaves to the slow path. */
const UNUSUAL = -2;
const UNKNOWN = CONTENT_TYPES.indexOf('unknown');

const LAYOUT = [
  'nodeId string',
  'localSequenceNumber long',
  'chargingId long',
  'recordSequenceNumber long',
  'servedMsisdn string',
  'servedImsi null|string',
  'startTime long',
  'endTime long',
  'terminalIp string',
  'remoteIp string',
  'terminalPort int',
  'remotePort int',
  'protocol int',
  'zeroRatingTag null|string',
  'contentType null|string',
  'ratingGroup null|int',
  'serviceIdentifier null|int',
  'uplinkOctets long',
  'downlinkOctets long',
];
const IDENTITIES = ['sponsorIdentity null|string', 'applicationServiceProviderIdentity null|string'];
const WITHOUT_IDENTITIES = String(LAYOUT);
const WITH_IDENTITIES = String([...LAYOUT, ...IDENTITIES]);
/** Both of them null. */
const NO_IDENTITIES_OCTETS = 2;

const contentTypes = new OctetMap();
CONTENT_TYPES.forEach((word, code) => {
  if (code !== UNKNOWN) contentTypes.set(Buffer.from(word), 0, word.length, code);
});

/** Where the next field begins: one for all calls, as the hot path makes no objects. */
let at = 0;
let end = 0;
const terminalAddress = new Uint32Array(4);

/** How datums are laid out that `readAvroFlow` can read: as the flow record's schema has it, or as it was before identities. */
export type FlowLayout = 'with identities' | 'without identities';

/** Null for any other schema. `names`: what its fields are read as. */
export function flowLayoutOf({ fields }: AvroRecord, names: readonly (string | null)[]): FlowLayout | null {
  const layout = String(fields.map(({ type }, at) => `${names[at]} ${described(type)}`));
  if (layout === WITH_IDENTITIES) return 'with identities';
  return layout === WITHOUT_IDENTITIES ? 'without identities' : null;
}

function described(type: AvroType): string {
  if (type.kind === 'union') return type.branches.map(described).join('|');
  const isPlain = !('logicalType' in type) || type.logicalType === null || type.logicalType === 'timestamp-millis';
  return isPlain ? type.kind : `${type.kind} of another meaning`;
}

/**
 * Reads the datum that fills `octets` from `start` to `to`, straight into `fields`: a tenth of the time that avsc and the
 * validation take. It decides nothing: whatever is not plainly a valid record it leaves to them, so that there is one
 * place only where records are rejected.
 */
export function readAvroFlow(
  octets: Uint8Array,
  start: number,
  to: number,
  fields: FlowFields,
  layout: FlowLayout,
): boolean {
  fields.octets = octets;
  fields.datumStart = start;
  fields.datumEnd = to;
  at = start;
  end = to;
  fields.hasIdentities = false;
  return (
    readIdentity(fields) &&
    readTerminals(fields) &&
    readUsage(fields) &&
    (layout === 'without identities' || readIdentities(fields)) &&
    at === end
  );
}

// Numbers are read to the end of a group and judged there: what follows an unusual one is read wrong, and thrown away.

function readIdentity(fields: FlowFields): boolean {
  const { octets, spans } = fields;
  if (!readText(fields, NODE_ID) || spans[NODE_ID * 2] === spans[NODE_ID * 2 + 1]) return false;
  fields.localSequenceNumber = readWhole(octets);
  const chargingId = readWhole(octets);
  const recordSequenceNumber = readWhole(octets);
  return (
    fields.localSequenceNumber >= 0 &&
    chargingId >= 0 &&
    recordSequenceNumber >= 0 &&
    readSpan(fields, SERVED_MSISDN) &&
    readMsisdnKey(fields) &&
    readOptionalText(fields, OTHER_TEXT)
  );
}

function readTerminals(fields: FlowFields): boolean {
  const { octets } = fields;
  fields.startTimeMs = readWhole(octets);
  fields.endTimeMs = readWhole(octets);
  if (fields.startTimeMs < MIN_TIME_MS || fields.endTimeMs < fields.startTimeMs || fields.endTimeMs > MAX_TIME_MS)
    return false;
  if (!readAddress(fields, terminalAddress) || !readAddress(fields, fields.remoteAddress)) return false;
  const terminalPort = readWhole(octets);
  const remotePort = readWhole(octets);
  const protocol = readWhole(octets);
  return isIn(terminalPort, MAX_PORT) && isIn(remotePort, MAX_PORT) && isIn(protocol, MAX_PROTOCOL);
}

function readUsage(fields: FlowFields): boolean {
  const { octets } = fields;
  if (!readOptionalText(fields, ZERO_RATING_TAG) || !readContentType(fields)) return false;
  const ratingGroup = readOptionalInt(octets);
  const serviceIdentifier = readOptionalInt(octets);
  fields.uplinkOctets = readWhole(octets);
  fields.downlinkOctets = readWhole(octets);
  return (
    ratingGroup !== UNUSUAL && serviceIdentifier !== UNUSUAL && fields.uplinkOctets >= 0 && fields.downlinkOctets >= 0
  );
}

/** Where there is none, the record ends before them: its fingerprint is that of a record of before there were any. */
function readIdentities(fields: FlowFields): boolean {
  const { octets } = fields;
  if (at + NO_IDENTITIES_OCTETS === end && octets[at] === 0 && octets[at + 1] === 0) {
    fields.datumEnd = at;
    at = end;
    return true;
  }
  fields.hasIdentities = true;
  return readOptionalText(fields, SPONSOR_IDENTITY) && readOptionalText(fields, ASP_IDENTITY);
}

function isIn(value: number, limit: number): boolean {
  return value >= 0 && value <= limit;
}

/**
 * A varint of at most 7 octets that is not negative (zigzag), and so below 2^48; UNUSUAL for any other, and for one that is
 * longer than it need be: a record has one datum only, over which its fingerprint is taken.
 */
function readWhole(octets: Uint8Array): number {
  // The place is kept in a variable of the function, and so in a register.
  let next = at;
  if (next >= end) return UNUSUAL;
  let low = octets[next++];
  if (low < 0x80) {
    at = next;
    return (low & 1) === 0 ? low >>> 1 : UNUSUAL;
  }
  low &= 0x7f;
  for (let shift = 7; shift < 28; shift += 7) {
    if (next >= end) return UNUSUAL;
    const octet = octets[next++];
    low |= (octet & 0x7f) << shift;
    if (octet >= 0x80) continue;
    at = next;
    return octet !== 0 && (low & 1) === 0 ? low >>> 1 : UNUSUAL;
  }
  let high = 0;
  for (let shift = 0; shift < 21; shift += 7) {
    if (next >= end) return UNUSUAL;
    const octet = octets[next++];
    high |= (octet & 0x7f) << shift;
    if (octet >= 0x80) continue;
    at = next;
    return octet !== 0 && (low & 1) === 0 ? high * 2 ** 27 + (low >>> 1) : UNUSUAL;
  }
  return UNUSUAL;
}

/** The branch of a union of two: 0 is null. */
function readBranch(octets: Uint8Array): number {
  if (at >= end) return UNUSUAL;
  const octet = octets[at++];
  if (octet === 0) return 0;
  return octet === 2 ? 1 : UNUSUAL;
}

function readText(fields: FlowFields, text: number): boolean {
  if (!readSpan(fields, text)) return false;
  const { octets, spans } = fields;
  const to = at;
  let all = 0;
  for (let i = spans[text * 2]; i < to; i++) all |= octets[i];
  return all <= ASCII;
}

/** A text that its reader checks, octet by octet. */
function readSpan({ octets, spans }: FlowFields, text: number): boolean {
  const length = readWhole(octets);
  if (length < 0 || length > MAX_TEXT_LENGTH || length > end - at) return false;
  spans[text * 2] = at;
  at += length;
  spans[text * 2 + 1] = at;
  return true;
}

function readOptionalText(fields: FlowFields, text: number): boolean {
  const branch = readBranch(fields.octets);
  if (branch === 1) return readText(fields, text);
  fields.spans[text * 2] = NULL;
  fields.spans[text * 2 + 1] = NULL;
  return branch === 0;
}

function readMsisdnKey(fields: FlowFields): boolean {
  const { octets, spans } = fields;
  const [from, to] = [spans[SERVED_MSISDN * 2], spans[SERVED_MSISDN * 2 + 1]];
  // No country code begins with 0: what does is in another form than the normal one, or no MSISDN.
  if (to === from || to - from > MAX_MSISDN_DIGITS || octets[from] === ZERO) return false;
  let key = 1;
  for (let i = from; i < to; i++) {
    const digit = octets[i] - ZERO;
    if (digit < 0 || digit > 9) return false;
    key = key * 10 + digit;
  }
  fields.msisdnKey = key;
  return true;
}

/** Null is NULL. */
function readOptionalInt(octets: Uint8Array): number {
  const branch = readBranch(octets);
  if (branch === 0) return NULL;
  const value = branch === 1 ? readWhole(octets) : UNUSUAL;
  return value <= MAX_INT32 ? value : UNUSUAL;
}

function readAddress(fields: FlowFields, out: Uint32Array): boolean {
  if (!readSpan(fields, OTHER_TEXT)) return false;
  const { octets, spans } = fields;
  return parseIpOctets(octets, spans[OTHER_TEXT * 2], at, out, 0);
}

function readContentType(fields: FlowFields): boolean {
  if (!readOptionalText(fields, OTHER_TEXT)) return false;
  const from = fields.spans[OTHER_TEXT * 2];
  fields.contentType = from === NULL ? UNKNOWN : contentTypes.get(fields.octets, from, at);
  return fields.contentType !== ABSENT;
}
