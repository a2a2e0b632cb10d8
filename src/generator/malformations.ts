import type { Candidate, FlowRecord } from '../rating/flow-record.ts';
import type { Reason } from '../rating/outcome.ts';
import type { Random } from './random.ts';

/** Formats of records: JSON lines (or messages), CSV rows, an Avro container, bare Avro or Confluent Avro messages. */
export const RECORD_FORMATS = ['ndjson', 'csv', 'avro', 'avro-message', 'confluent-message'] as const;
export type RecordFormat = (typeof RECORD_FORMATS)[number];

const TEXT = ['ndjson', 'csv'] as const;
const MESSAGES = ['avro-message', 'confluent-message'] as const;

/**
 * The faults of malformed records, each with its expected reason of rejection and the formats that can hold it. A container
 * frames its values by decoding them, so bytes that are no value would break the values after them.
 */
export const MALFORMATIONS = [
  { malformation: 'truncated', reason: 'malformed', formats: ['ndjson', 'csv', ...MESSAGES] },
  { malformation: 'garbage', reason: 'malformed', formats: ['ndjson', ...MESSAGES] },
  { malformation: 'unknown_schema_id', reason: 'unknown_schema', formats: ['confluent-message'] },
  { malformation: 'missing_field', reason: 'missing_field', formats: TEXT },
  { malformation: 'wrong_type', reason: 'invalid_field', formats: TEXT },
  { malformation: 'invalid_msisdn', reason: 'invalid_msisdn', formats: RECORD_FORMATS },
  { malformation: 'time_out_of_range', reason: 'time_out_of_range', formats: RECORD_FORMATS },
  { malformation: 'end_before_start', reason: 'end_before_start', formats: RECORD_FORMATS },
  { malformation: 'invalid_ip', reason: 'invalid_ip', formats: RECORD_FORMATS },
  { malformation: 'unknown_content_type', reason: 'unknown_content_type', formats: RECORD_FORMATS },
  { malformation: 'negative_octets', reason: 'negative_octets', formats: RECORD_FORMATS },
  { malformation: 'octets_above_2_48', reason: 'octets_out_of_range', formats: RECORD_FORMATS },
  // Many Avro readers stop a whole container at a long that is no exact integer, so containers have none.
  { malformation: 'octets_above_2_53', reason: 'octets_out_of_range', formats: [...TEXT, ...MESSAGES] },
  { malformation: 'oversized', reason: 'oversized_record', formats: RECORD_FORMATS },
] as const satisfies readonly { malformation: string; reason: Reason; formats: readonly RecordFormat[] }[];

export type Malformation = (typeof MALFORMATIONS)[number]['malformation'];

export function malformationsOf(format: RecordFormat): Malformation[] {
  return MALFORMATIONS.filter(({ formats }) => (formats as readonly RecordFormat[]).includes(format)).map(
    ({ malformation }) => malformation,
  );
}

/**
 * Returns the fields of the record with the fault in them. `truncated`, `garbage` and `unknown_schema_id` are faults of the
 * bytes: the fields stay valid, and the encoder breaks the bytes.
 */
export function breakFields(
  record: FlowRecord,
  malformation: Malformation,
  random: Random,
  oversizedOctets: number,
): Candidate {
  const octetField = random.pick(['uplinkOctets', 'downlinkOctets'] as const);
  switch (malformation) {
    case 'truncated':
    case 'garbage':
    case 'unknown_schema_id':
      return { ...record };
    case 'missing_field':
      // JSON and CSV's cell leave out undefined values.
      return { ...record, [random.pick(['nodeId', 'servedMsisdn', 'startTime', 'remoteIp', octetField])]: undefined };
    case 'wrong_type':
      return { ...record, [octetField]: 'many' };
    case 'invalid_msisdn':
      return { ...record, servedMsisdn: random.pick(['+999-12-345', `${record.servedMsisdn}0000`, 'anonymous']) };
    case 'time_out_of_range':
      // Microseconds where milliseconds belong: tens of thousands of years from now.
      return { ...record, startTime: record.startTime * 1000, endTime: record.endTime * 1000 };
    case 'end_before_start':
      return { ...record, endTime: record.startTime - random.integer(1, 3_600_000) };
    case 'invalid_ip':
      return {
        ...record,
        [random.pick(['terminalIp', 'remoteIp'])]: random.pick(['198.51.100.256', '2001:db8::g', 'proxy']),
      };
    case 'unknown_content_type':
      return { ...record, contentType: random.pick(['hologram', 'TEXT', 'application/json']) };
    case 'negative_octets':
      return { ...record, [octetField]: -random.integer(1, 1_000_000) };
    case 'octets_above_2_48':
      return { ...record, [octetField]: 2 ** 48 + random.integer(0, 1_000_000) };
    case 'octets_above_2_53':
      return { ...record, [octetField]: 2 ** 53 + 2 * random.integer(1, 1_000_000) };
    case 'oversized':
      return { ...record, zeroRatingTag: 'x'.repeat(oversizedOctets) };
  }
}
