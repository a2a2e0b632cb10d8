import { csvCell } from '../formats/csv.ts';
import { type Candidate, FLOW_RECORD_FIELDS, type FlowRecord, NO_LATER_FIELDS } from '../rating/flow-record.ts';
import type { GeneratedRecord } from './generated-record.ts';

/** The fields that are generated: none of the network. */
const FIELDS = FLOW_RECORD_FIELDS.filter((name) => !(name in NO_LATER_FIELDS));

/** The first row of a CSV file. */
export const CSV_HEADER = FIELDS.join(',');

const GARBAGE_JSON = '{"nodeId": gateway, <<<<<<< this is no JSON';

/** Returns one line without its line end. */
export function encodeGeneratedJson(generated: GeneratedRecord): string {
  if (generated.kind !== 'malformed') return encodeRecord(generated.record);
  if (generated.malformation === 'garbage') return GARBAGE_JSON;
  const line = JSON.stringify(generated.fields);
  return generated.malformation === 'truncated' ? line.slice(0, Math.floor(line.length / 2)) : line;
}

/** Returns JSON.stringify's text of the generated fields in a third of the time: only tag and identities can need escapes. */
function encodeRecord(record: FlowRecord): string {
  return (
    `{"nodeId":"${record.nodeId}","localSequenceNumber":${record.localSequenceNumber},` +
    `"chargingId":${record.chargingId},"recordSequenceNumber":${record.recordSequenceNumber},` +
    `"servedMsisdn":"${record.servedMsisdn}","servedImsi":${quoted(record.servedImsi)},` +
    `"startTime":${record.startTime},"endTime":${record.endTime},` +
    `"terminalIp":"${record.terminalIp}","terminalPort":${record.terminalPort},` +
    `"remoteIp":"${record.remoteIp}","remotePort":${record.remotePort},"protocol":${record.protocol},` +
    `"zeroRatingTag":${JSON.stringify(record.zeroRatingTag)},"contentType":${quoted(record.contentType)},` +
    `"ratingGroup":${record.ratingGroup},"serviceIdentifier":${record.serviceIdentifier},` +
    `"uplinkOctets":${record.uplinkOctets},"downlinkOctets":${record.downlinkOctets},` +
    `"sponsorIdentity":${JSON.stringify(record.sponsorIdentity)},` +
    `"applicationServiceProviderIdentity":${JSON.stringify(record.applicationServiceProviderIdentity)}}`
  );
}

function quoted(text: string | null): string {
  return text === null ? 'null' : `"${text}"`;
}

/** Returns one row without its line end; null is an empty cell. */
export function encodeGeneratedCsv(generated: GeneratedRecord): string {
  if (generated.kind !== 'malformed') return encodeRow(generated.record);
  const row = encodeRow(generated.fields);
  // Half of the row's cells, so that columns are missing.
  return generated.malformation === 'truncated' ? row.split(',', Math.floor(FIELDS.length / 2)).join(',') : row;
}

function encodeRow(fields: FlowRecord | Candidate): string {
  return FIELDS.map((name) => cell(fields[name])).join(',');
}

function cell(value: unknown): string {
  return value === null || value === undefined ? '' : csvCell(String(value));
}
