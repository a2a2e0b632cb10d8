import { WITH_IDENTITIES, WITHOUT_IDENTITIES } from '../kernel/regions.ts';
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
const LAYOUT_WITHOUT = String(LAYOUT);
const LAYOUT_WITH = String([...LAYOUT, ...IDENTITIES]);

/** The fields of a flow record in the order of its datums. */
export const DATUM_FIELDS = [...LAYOUT, ...IDENTITIES].map((field) => {
  const [name, type] = field.split(' ');
  return { name, isText: type.endsWith('string'), isNullable: type.startsWith('null') };
});

/** How datums are laid out that the kernel can read: as the flow record's schema has it, or as it was before identities. */
export type FlowLayout = typeof WITH_IDENTITIES | typeof WITHOUT_IDENTITIES;

/** Returns the layout of a schema's datums; null for one that the kernel does not read. `names`: what its fields are read as. */
export function flowLayoutOf({ fields }: AvroRecord, names: readonly (string | null)[]): FlowLayout | null {
  const layout = String(fields.map(({ type }, at) => `${names[at]} ${described(type)}`));
  if (layout === LAYOUT_WITH) return WITH_IDENTITIES;
  return layout === LAYOUT_WITHOUT ? WITHOUT_IDENTITIES : null;
}

function described(type: AvroType): string {
  if (type.kind === 'union') return type.branches.map(described).join('|');
  const isPlain = !('logicalType' in type) || type.logicalType === null || type.logicalType === 'timestamp-millis';
  return isPlain ? type.kind : `${type.kind} of another meaning`;
}
