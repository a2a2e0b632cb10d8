import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type FlowRecord, NO_LATER_FIELDS } from '../../rating/flow-record.ts';
import type { Fault } from '../../rating/outcome.ts';
import { readRecord } from '../../rating/pipeline.ts';
import { Terminals } from '../addresses/terminals.ts';
import { decodeMadeValue } from '../files/made-value.ts';
import { type Goflow2Mapping, readGoflow2 } from './goflow2.ts';
import type { SampledExporters } from './sampled-exporters.ts';

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

const NONE: SampledExporters = async () => new Set();

async function read(lines: readonly string[], mapping: Partial<Goflow2Mapping> = {}) {
  if (!(terminals instanceof Terminals)) throw new Error(terminals.join('\n'));
  const records: unknown[] = [];
  const goflow2 = { terminals, sampled: NONE, activeTimeoutMs: 1_800_000, ...mapping };
  for await (const batch of readGoflow2(Readable.from([Buffer.from(lines.join('\n'))]), 600, goflow2)) {
    for (const { value, oversizedOctets } of batch) {
      records.push(readRecord({ value, oversizedOctets }, decodeMadeValue));
    }
  }
  return records;
}

test('a flow from a terminal is uplink, one to it downlink', async () => {
  const back = { src_addr: '198.51.100.7', dst_addr: '10.0.0.7', src_port: 443, dst_port: 53_000, bytes: 9000 };
  const [up, down] = await read([line(), line({ ...back, proto: 'TCP' })]);
  const common = {
    nodeId: '192.0.2.1/content',
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
    ...NO_LATER_FIELDS,
  };
  expect(up).toEqual({
    ...common,
    localSequenceNumber: expect.any(Number),
    protocol: 17,
    uplinkOctets: 143,
    downlinkOctets: 0,
  });
  expect(down).toEqual({
    ...common,
    localSequenceNumber: expect.any(Number),
    protocol: 6,
    uplinkOctets: 0,
    downlinkOctets: 9000,
  });
});

test('an identity is what the exporter says of a flow, and nothing that the collector adds', async () => {
  const [flow, copy] = await identities([
    line(),
    line({ sampling_rate: 1 })
      .replace('"time_received_ns":1', '"time_received_ns":2')
      .replace('"packets":1,', '')
      .replace('}', ',"packets":"1","src_country":"X"}'),
  ]);
  expect(copy).toBe(flow);
  expect(flow).toMatch(/^192\.0\.2\.1\/content \d{10,16}$/);
  const others = [
    { sequence_num: 65_362 },
    { sampler_address: '192.0.2.2' },
    { observation_domain_id: 5 },
    { bytes: 144 },
    { packets: 2 },
    { src_port: 53_001 },
    { in_if: 3 },
    { tcp_flags: 2 },
  ];
  const lines = [line(), line().replace('999999,', '999998,'), ...others.map((fields) => line(fields))];
  const found = await identities(lines);
  expect(new Set(found).size).toBe(lines.length);
  expect(found[4]).toMatch(/^192\.0\.2\.1\/5\/content /);
});

async function identities(lines: readonly string[]): Promise<string[]> {
  return (await read(lines)).map((record) => {
    const { nodeId, localSequenceNumber } = record as FlowRecord;
    return `${nodeId} ${localSequenceNumber}`;
  });
}

test('between two terminals it is the sender’s uplink', async () => {
  const [record] = await read([line({ dst_addr: '10.0.0.8' })]);
  expect(record).toMatchObject({ servedMsisdn: '999000000001', remoteIp: '10.0.0.8', uplinkOctets: 143 });
});

test.each<[string, object | string, object]>([
  [
    'addresses without a subscriber',
    { src_addr: '10.0.0.9' },
    { reason: 'missing_field', detail: 'servedMsisdn is missing' },
  ],
  [
    'samples',
    { sampling_rate: 100 },
    { reason: 'invalid_field', detail: 'sampling_rate is 100: a sample is no measure of use' },
  ],
  [
    'a rate as text',
    { sampling_rate: '1000' },
    { reason: 'invalid_field', detail: 'sampling_rate is 1000: a sample is no measure of use' },
  ],
  [
    'a rate in words',
    { sampling_rate: '1:1000' },
    { reason: 'invalid_field', detail: expect.stringMatching(/^sampling_rate is not/) },
  ],
  ['a fraction of a rate', { sampling_rate: 0.5 }, { reason: 'invalid_field' }],
  ['a negative rate', { sampling_rate: -1000 }, { reason: 'invalid_field' }],
  [
    'no rate',
    { sampling_rate: undefined },
    { reason: 'missing_field', detail: expect.stringMatching(/^sampling_rate is missing/) },
  ],
  ['a null for a rate', { sampling_rate: null }, { reason: 'missing_field' }],
  ['sFlow', { type: 'SFLOW_5' }, { reason: 'invalid_field', detail: 'type is neither IPFIX nor NETFLOW_V5' }],
  ['no type', { type: undefined }, { reason: 'missing_field', detail: 'type is missing' }],
  [
    'packets and no octets in them',
    { bytes: 0, packets: 10 },
    { reason: 'invalid_field', detail: expect.stringMatching(/^bytes is 0 with 10 packets/) },
  ],
  ['neither octets nor packets', { bytes: '0', packets: 0 }, { reason: 'invalid_field' }],
  ['no exporter', { sampler_address: undefined }, { reason: 'missing_field', detail: 'nodeId is missing' }],
  ['no number', { sequence_num: undefined }, { reason: 'missing_field', detail: 'localSequenceNumber is missing' }],
  ['no octets', { bytes: undefined }, { reason: 'missing_field', detail: 'uplinkOctets is missing' }],
  ['a number that is none', { sequence_num: 'x' }, { reason: 'invalid_field' }],
  ['no JSON', '{"type":"IPFIX"', { reason: 'malformed' }],
  ['too much', { note: 'x'.repeat(600) }, { reason: 'oversized_record' }],
])('a line with %s is a rejected record, and the next is read', async (_, fields, fault) => {
  const [rejected, next] = await read([typeof fields === 'string' ? fields : line(fields), line({ sequence_num: 1 })]);
  expect(rejected).toMatchObject(fault);
  expect(next).toMatchObject({ nodeId: '192.0.2.1/content', servedMsisdn: '999000000001' });
});

test('the flow of an exporter that samples is never exact, whatever it says itself', async () => {
  const sampled: SampledExporters = async () => new Set(['192.0.2.1/5']);
  const records = await read(
    [0, 1, '0'].map((sampling_rate) => line({ observation_domain_id: 5, sampling_rate })).concat(line()),
    { sampled },
  );
  const fault = { reason: 'invalid_field', detail: expect.stringMatching(/but exporter 192\.0\.2\.1\/5 samples/) };
  expect(records).toEqual([fault, fault, fault, expect.objectContaining({ uplinkOctets: 143 })]);
});

test('where exporters that do not sample are listed, an unknown rate of another one is not taken for none', async () => {
  const lines = [
    line(),
    line({ sampler_address: '192.0.2.2' }),
    line({ sampler_address: '192.0.2.2', sampling_rate: 1 }),
  ];
  expect(await read(lines, { unsampled: ['192.0.2.1'] })).toEqual([
    expect.objectContaining({ uplinkOctets: 143 }),
    { reason: 'invalid_field', detail: expect.stringMatching(/192\.0\.2\.2 is not in source\.goflow2\.unsampled$/) },
    expect.objectContaining({ uplinkOctets: 143 }),
  ]);
});

describe('an address that changed hands', () => {
  const noon = Date.UTC(2026, 10, 1, 12);
  const leases = Terminals.parse(
    [
      'prefix,from,to,msisdn',
      '10.0.0.7,2026-11-01T00:00:00Z,2026-11-01T12:00:00Z,999000000001',
      '10.0.0.7,2026-11-01T12:00:05Z,2026-11-01T18:00:00Z,999000000002',
      '10.0.0.7,2026-11-01T18:00:00Z,,999000000002',
    ].join('\n'),
  ) as Terminals;
  const flowAt = (startMs: number, endMs: number, digits = '000000') =>
    line({ time_flow_start_ns: 1, time_flow_end_ns: 2 })
      .replace(/"time_received_ns":1,"time_flow_start_ns":\d+,"time_flow_end_ns":\d+,/, '')
      .replace('"time_flow_start_ns":1', `"time_flow_start_ns":${startMs}${digits}`)
      .replace('"time_flow_end_ns":2', `"time_flow_end_ns":${endMs}${digits}`);
  const owners = async (line: string, mapping: Partial<Goflow2Mapping> = {}) => {
    const [record] = await read([line], { terminals: leases, ...mapping });
    return (record as FlowRecord).servedMsisdn ?? (record as Fault).detail;
  };

  test('has no certain subscriber while a flow over the change lasted', async () => {
    const within = /^servedMsisdn is missing: the address changed hands while the flow lasted$/;
    expect(await owners(flowAt(noon - 9000, noon - 1))).toBe('999000000001');
    expect(await owners(flowAt(noon - 9000, noon + 4999))).toBe('999000000001');
    expect(await owners(flowAt(noon - 9000, noon + 5000))).toMatch(within);
    expect(await owners(flowAt(noon + 5000, noon + 9000))).toBe('999000000002');
    expect(await owners(flowAt(noon - 9000, noon + 86_400_000))).toMatch(within);
  });

  test('has no certain subscriber for the active timeout, where the second of the export is the only time', async () => {
    const within = /^servedMsisdn is missing: the address changed hands within 1800000 ms before the export/;
    const at = (ms: number) => flowAt(ms, ms);
    expect(await owners(at(noon - 1000))).toBe('999000000001');
    expect(await owners(at(noon + 5000))).toMatch(within);
    expect(await owners(at(noon + 1_799_000))).toMatch(within);
    expect(await owners(at(noon + 1_801_000))).toBe('999000000002');
    expect(await owners(at(noon + 61_000), { activeTimeoutMs: 60_000 })).toBe('999000000002');
    const burst = flowAt(noon + 5001, noon + 5001).replace('"packets":1,', '"packets":7,');
    expect(await owners(burst)).toMatch(within);
    // One packet's time to the millisecond is of the exporter itself, and the same subscriber in a new session is no other one.
    expect(await owners(flowAt(noon + 5001, noon + 5001))).toBe('999000000002');
    expect(await owners(at(noon + 6 * 3_600_000))).toBe('999000000002');
  });
});

/** Datagrams of exporters that number them in all the ways that exporters do, copied, interleaved and cut into files. */
function drawnExport(random: () => number) {
  const below = (n: number) => Math.floor(random() * n);
  const datagrams: { lines: string[]; octets: number[] }[] = [];
  const numberings: ((records: number) => number)[] = [
    () => 0, // never counts
    counting(0),
    counting(2 ** 32 - 5), // wraps around
    counting(7, 1), // counts its templates too
    counting(0), // a second exporter behind the address of the first
    restarting(0, 3),
  ];
  let flows = 0;
  for (let i = 0; i < 60; i++) {
    const exporter = below(numberings.length);
    const records = 1 + below(4);
    const sequence_num = numberings[exporter](records);
    const octets = Array.from({ length: records }, () => 100 + below(3));
    const lines = octets.map((bytes) => {
      const port = ++flows;
      // The first two share an address and a domain, and so do the next two.
      return line({ sampler_address: `192.0.2.${1 + (exporter >> 1)}`, sequence_num, bytes, src_port: port });
    });
    datagrams.push({ lines, octets });
  }
  return datagrams;
}

function counting(first: number, templates = 0): (records: number) => number {
  let next = first;
  return (records) => {
    const number = next;
    next = (next + records + templates) % 2 ** 32;
    return number;
  };
}

function restarting(first: number, everyDatagrams: number): (records: number) => number {
  let number = counting(first);
  let datagrams = 0;
  return (records) => {
    if (datagrams++ % everyDatagrams === 0) number = counting(first);
    return number(records);
  };
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'each flow counts once, however datagrams are copied and mixed (draw %i)',
  async (seed) => {
    const random = mulberry32(seed);
    const datagrams = drawnExport(random);
    const copies = datagrams.filter(() => random() < 0.3);
    const sent = [...datagrams, ...copies].map(({ lines }, receipt) =>
      lines.map((line) => line.replace('"time_received_ns":1', `"time_received_ns":${receipt + 1}`)),
    );
    // Lines of a datagram keep their order; lines of others come between them.
    const mixed: string[] = [];
    while (sent.length > 0) {
      const at = Math.floor(random() * Math.min(sent.length, 5));
      const next = sent[at].shift();
      if (next === undefined) sent.splice(at, 1);
      else mixed.push(next);
    }
    const cut = Math.floor(random() * mixed.length);
    const records = [...(await read(mixed.slice(0, cut))), ...(await read(mixed.slice(cut)))] as FlowRecord[];

    const seen = new Map<string, FlowRecord>();
    for (const record of records) {
      const identity = `${record.nodeId} ${record.localSequenceNumber}`;
      const first = seen.get(identity);
      // A copy is a duplicate, never a conflict.
      if (first !== undefined) expect(record).toEqual(first);
      else seen.set(identity, record);
    }
    const sum = (octets: readonly number[]) => octets.reduce((total, n) => total + n, 0);
    expect(seen.size).toBe(sum(datagrams.map(({ lines }) => lines.length)));
    expect(sum([...seen.values()].map(({ uplinkOctets }) => uplinkOctets))).toBe(
      sum(datagrams.map(({ octets }) => sum(octets))),
    );
  },
);

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('an address behind carrier-grade NAT', () => {
  const shared = Terminals.parse(
    'prefix,ports,from,to,msisdn\n203.0.113.7,1024-2047,2026-11-01T00:00:00Z,,1\n203.0.113.7,2048-3071,2026-11-01T00:00:00Z,,2\n',
  ) as Terminals;
  const one = async (fields: object) => (await read([line(fields)], { terminals: shared }))[0];
  const from = (port: number, fields: object = {}) => one({ src_addr: '203.0.113.7', src_port: port, ...fields });

  test('is whose block has the port, in either direction', async () => {
    expect(await from(2047)).toMatchObject({ servedMsisdn: '1', terminalPort: 2047, uplinkOctets: 143 });
    expect(await from(2048, { proto: 'TCP' })).toMatchObject({ servedMsisdn: '2', terminalPort: 2048 });
    const back = { src_addr: '198.51.100.7', src_port: 443, dst_addr: '203.0.113.7', dst_port: 2048 };
    expect(await one(back)).toMatchObject({ servedMsisdn: '2', terminalPort: 2048, downlinkOctets: 143 });
  });

  test.each<[string, object, string]>([
    ['a port in no block', { src_port: 3072 }, 'no block has port 3072'],
    ['a fragment', { src_port: 0, dst_port: 0 }, 'the flow has no port'],
    ['a protocol without ports', { proto: 'ICMP', src_port: 0, dst_port: 2048 }, 'the flow has no port'],
    ['a protocol that goflow2 has no name for', { proto: 'ESP', src_port: 1024 }, 'the flow has no port'],
  ])('has no known owner with %s', async (_, fields, why) => {
    expect(await from(1024, fields)).toEqual({
      reason: 'missing_field',
      detail: `servedMsisdn is missing: the address is shared by blocks of ports, and ${why}`,
    });
  });
});
