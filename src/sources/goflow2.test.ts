import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readRecord } from '../billing/admit.ts';
import { readGoflow2 } from './goflow2.ts';
import { decodeMadeValue } from './made-value.ts';
import { Terminals } from './terminals.ts';

const terminals = Terminals.parse(
  'prefix,from,to,msisdn\n10.0.0.7,2026-11-01T00:00:00Z,,999000000001\n10.0.0.8,2026-11-01T00:00:00Z,,999000000002\n',
);

/** A line as goflow2 writes it. */
function line(fields: object = {}): string {
  const start = `${Date.UTC(2026, 10, 1, 12)}999999`;
  const flow = {
    type: 'IPFIX',
    sequence_num: 65_361,
    sampling_rate: 0,
    sampler_address: '192.0.2.1',
    bytes: 143,
    packets: 1,
    src_addr: '10.0.0.7',
    dst_addr: '198.51.100.7',
    etype: 'IPv4',
    proto: 'UDP',
    src_port: 53_000,
    dst_port: 443,
    ...fields,
  };
  const times = `"time_received_ns":1,"time_flow_start_ns":${start},"time_flow_end_ns":${start.replace(/^(.*)...999999$/, '$1001000000')}`;
  return JSON.stringify(flow).replace('{', `{${times},`);
}

async function read(lines: readonly string[]) {
  if (!(terminals instanceof Terminals)) throw new Error(terminals.join('\n'));
  const records: unknown[] = [];
  for await (const batch of readGoflow2(Readable.from([Buffer.from(lines.join('\n'))]), 600, terminals)) {
    for (const { value, oversizedOctets = 0 } of batch) {
      records.push(readRecord({ value, oversizedOctets }, decodeMadeValue));
    }
  }
  return records;
}

test('a flow from a terminal is uplink, one to it downlink', async () => {
  const back = { src_addr: '198.51.100.7', dst_addr: '10.0.0.7', src_port: 443, dst_port: 53_000, bytes: 9000 };
  const [up, down] = await read([line(), line({ ...back, proto: 'TCP' })]);
  const common = {
    nodeId: '192.0.2.1',
    chargingId: 0,
    recordSequenceNumber: 0,
    servedMsisdn: '999000000001',
    servedImsi: null,
    startTime: Date.UTC(2026, 10, 1, 12),
    endTime: Date.UTC(2026, 10, 1, 12) + 1,
    terminalIp: '10.0.0.7',
    terminalPort: 53_000,
    remoteIp: '198.51.100.7',
    remotePort: 443,
    zeroRatingTag: null,
    contentType: null,
    ratingGroup: null,
    serviceIdentifier: null,
    sponsorIdentity: null,
    applicationServiceProviderIdentity: null,
  };
  expect(up).toEqual({ ...common, localSequenceNumber: 65_361, protocol: 17, uplinkOctets: 143, downlinkOctets: 0 });
  expect(down).toEqual({ ...common, localSequenceNumber: 65_362, protocol: 6, uplinkOctets: 0, downlinkOctets: 9000 });
});

test('records of a message follow its number, whatever lines stand between them', async () => {
  const records = await read([
    line({ sequence_num: 2 ** 32 - 1 }),
    line({ sequence_num: 7, sampler_address: '192.0.2.2' }),
    line({ sequence_num: 2 ** 32 - 1 }),
    line({ sequence_num: 9, observation_domain_id: 5 }),
    line({ sequence_num: 7, sampler_address: '192.0.2.2' }),
  ]);
  const identities = records.map((record) => {
    const { nodeId, localSequenceNumber } = record as { nodeId: string; localSequenceNumber: number };
    return [nodeId, localSequenceNumber];
  });
  expect(identities).toEqual([
    ['192.0.2.1', 2 ** 32 - 1],
    ['192.0.2.2', 7],
    ['192.0.2.1', 0],
    ['192.0.2.1/5', 9],
    ['192.0.2.2', 8],
  ]);
});

test('between two terminals it is the sender’s uplink', async () => {
  const [record] = await read([line({ dst_addr: '10.0.0.8' })]);
  expect(record).toMatchObject({ servedMsisdn: '999000000001', remoteIp: '10.0.0.8', uplinkOctets: 143 });
});

test.each<[string, object | string, object]>([
  ['addresses of nobody', { src_addr: '10.0.0.9' }, { reason: 'missing_field', detail: 'servedMsisdn is missing' }],
  [
    'samples',
    { sampling_rate: 100 },
    { reason: 'invalid_field', detail: 'sampling_rate is 100: a sample is no measure of use' },
  ],
  ['sFlow', { type: 'SFLOW_5' }, { reason: 'invalid_field', detail: expect.stringMatching(/^type is not IPFIX/) }],
  ['no octets', { bytes: undefined }, { reason: 'missing_field', detail: 'uplinkOctets is missing' }],
  ['a number that is none', { sequence_num: 'x' }, { reason: 'invalid_field' }],
  ['no JSON', '{"type":"IPFIX"', { reason: 'malformed' }],
  ['too much', { note: 'x'.repeat(600) }, { reason: 'oversized_record' }],
])('a line with %s is a rejected record, and the next is read', async (_, fields, fault) => {
  const [rejected, next] = await read([typeof fields === 'string' ? fields : line(fields), line({ sequence_num: 1 })]);
  expect(rejected).toMatchObject(fault);
  expect(next).toMatchObject({ localSequenceNumber: 1, servedMsisdn: '999000000001' });
});
