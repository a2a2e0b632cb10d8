import { WITH_ACCOUNT, WITH_IDENTITIES, WITH_NETWORK, WITHOUT_IDENTITIES } from '../kernel/regions.ts';
import type { AvroRecord, AvroType } from './avro-schema.ts';

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
const NETWORK = [
  'servingPlmn null|string',
  'ratType null|int',
  'trackingArea null|string',
  'detectedApplication null|string',
  'detectedBy null|string',
];
const ACCOUNT = ['accountId null|string'];
const WHOLE = [...LAYOUT, ...IDENTITIES, ...NETWORK, ...ACCOUNT];
/** Layouts of the flow record's schema, and of what it was before there were the fields at its end. */
const LAYOUTS: ReadonlyMap<string, FlowLayout> = new Map([
  [String(WHOLE), WITH_ACCOUNT],
  [String([...LAYOUT, ...IDENTITIES, ...NETWORK]), WITH_NETWORK],
  [String([...LAYOUT, ...IDENTITIES]), WITH_IDENTITIES],
  [String(LAYOUT), WITHOUT_IDENTITIES],
]);

/** The fields of a flow record in the order of its datums. */
export const DATUM_FIELDS = WHOLE.map((field) => {
  const [name, type] = field.split(' ');
  return { name, isText: type.endsWith('string'), isNullable: type.startsWith('null') };
});

/** How datums are laid out that the kernel can read: as the flow record's schema has it, or as earlier versions had it. */
export type FlowLayout = typeof WITH_ACCOUNT | typeof WITH_NETWORK | typeof WITH_IDENTITIES | typeof WITHOUT_IDENTITIES;

/** Returns the layout of a schema's datums; null for one that the kernel does not read. `names`: what its fields are read as. */
export function flowLayoutOf({ fields }: AvroRecord, names: readonly (string | null)[]): FlowLayout | null {
  return LAYOUTS.get(String(fields.map(({ type }, at) => `${names[at]} ${described(type)}`))) ?? null;
}

function described(type: AvroType): string {
  if (type.kind === 'union') return type.branches.map(described).join('|');
  const isPlain = !('logicalType' in type) || type.logicalType === null || type.logicalType === 'timestamp-millis';
  return isPlain ? type.kind : `${type.kind} of another meaning`;
}
