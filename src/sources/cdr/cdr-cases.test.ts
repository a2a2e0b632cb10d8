import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { readRecord } from '../../rating/pipeline.ts';
import { Subscribers } from '../addresses/imsi-subscribers.ts';
import { decodeMadeValue } from '../files/made-value.ts';
import { volumeFields } from './cdr-fields.ts';
import { type CdrFile, cdrFlowRecords, openCdrFile } from './cdr-file.ts';
import { type CdrMapping, NO_CDR_MAPPING } from './cdr-mapping.ts';

const caseFile = (name: string) => readFileSync(packagePath(`fixtures/cases/cdr/${name}.cdr`));
const HEADER_OCTETS = 52;

async function recordsOf(octets: Buffer, mapping: CdrMapping = NO_CDR_MAPPING, readOctets = 1000) {
  const reads: Buffer[] = [];
  for (let at = 0; at < octets.length; at += readOctets) reads.push(octets.subarray(at, at + readOctets));
  const { framing, batches } = (await openCdrFile(Readable.from(reads), 4096, mapping)) as CdrFile;
  const records = [];
  for await (const batch of batches) {
    records.push(...batch.map(({ value }) => readRecord({ value, oversizedOctets: 0 }, decodeMadeValue)));
  }
  return { framing, records };
}

/** Header and CDRs of the case of two PGW-CDRs; its file length and count are set to unknown. */
const padded = caseFile('filler-00');
const pgwHeader = Buffer.from(padded.subarray(0, HEADER_OCTETS));
pgwHeader.writeUInt32BE(0xffffffff, 0);
pgwHeader.writeUInt32BE(0xffffffff, 18);
const contents = [HEADER_OCTETS, HEADER_OCTETS + 5 + padded.readUInt16BE(HEADER_OCTETS)].map((at) =>
  padded.subarray(at + 5, at + 5 + padded.readUInt16BE(at)),
);

describe('the way that a file cuts its CDRs', () => {
  const cdr = (content: Buffer, header: number, countsHeader: boolean, filler = 0) => {
    const octets = Buffer.from([0, 0, 0xe3, 0x34, 0, 0].slice(0, header));
    // Release 11, and 4 octets where it should have 5: whatever it says, the header is as long as it is.
    octets.writeUInt8(header === 5 ? 0x63 : 0xe3, 2);
    octets.writeUInt16BE(content.length + filler + (countsHeader ? header : 0), 0);
    return Buffer.concat([octets, content, Buffer.alloc(filler, 0xff)]);
  };
  const variants = [4, 5].flatMap((header) => [false, true].map((counts) => [header, counts] as const));

  test.each(variants)('headers of %i octets, counted in the length: %s', async (header, counts) => {
    const expected = await recordsOf(padded);
    for (const extra of [-2, -1, 0, 1, 2]) {
      const real = Buffer.concat([pgwHeader, Buffer.alloc(2)]).subarray(0, HEADER_OCTETS + extra);
      const file = Buffer.concat([real, ...contents.map((content) => cdr(content, header, counts))]);
      expect((await recordsOf(file)).records, `${extra}`).toEqual(expected.records);
    }
  });

  test.each([0x00, 0xff])('filler of 0x%x between, after and inside of CDRs is passed over', async (octet) => {
    const expected = (await recordsOf(padded)).records;
    for (const size of [2, 3, 4, 5, 1000, 2048, 16_384, 300_000]) {
      const filler = Buffer.alloc(size, octet);
      const [first, second] = contents.map((content) => cdr(content, 5, false, 7));
      for (const readOctets of [4096, 65_536]) {
        const file = Buffer.concat([pgwHeader, first, filler, second, filler]);
        expect((await recordsOf(file, NO_CDR_MAPPING, readOctets)).records, `${size}`).toEqual(expected);
      }
    }
  });

  test('a file that no way fits is refused once', async () => {
    const junk = Buffer.alloc(5000, 0xa1);
    await expect(recordsOf(Buffer.concat([pgwHeader, junk]))).rejects.toThrow(/no CDR in BER begins at octet 52/);
  });

  test('a file that grows has the same records at the same places', async () => {
    const [first, second] = contents.map((content) => cdr(content, 4, true));
    const short = await recordsOf(Buffer.concat([pgwHeader, first]));
    const long = await recordsOf(Buffer.concat([pgwHeader, first, second]));
    expect(long.records.slice(0, 1)).toEqual(short.records);
    expect(long.framing).toBe(short.framing);
  });
});

test('padding and a header of 5 octets in release 99 are read as they are', async () => {
  expect((await recordsOf(padded)).records).toMatchObject([{ downlinkOctets: 0x100000 }, { downlinkOctets: 0x100000 }]);
  const { records, framing } = await recordsOf(caseFile('header-5-octets-release-0'));
  expect(records).toMatchObject([{ servedMsisdn: '999000000001' }, { servedMsisdn: '999000000001' }]);
  expect(framing).toBe(', CDR headers of 5 octets though their release says otherwise');
});

test('a total beyond the directions is downlink', async () => {
  const { records } = await recordsOf(caseFile('total-volume-only'));
  expect(records).toMatchObject([{ uplinkOctets: 0, downlinkOctets: 1_000_000_000 }]);
});

test.each([
  [10, 20, 30, 10, 20],
  [10, 20, 31, 10, 21],
  [10, undefined, 31, 10, 21],
  [undefined, 20, 31, 0, 31],
  [undefined, undefined, 31, 0, 31],
  [10, undefined, undefined, 10, 0],
])('uplink %s, downlink %s, total %s', (uplink, downlink, total, uplinkOctets, downlinkOctets) => {
  expect(volumeFields(uplink, downlink, total)).toEqual({ uplinkOctets, downlinkOctets });
});

test('a total below the directions, or one that is none, is rejected', () => {
  expect(volumeFields(10, 20, 29).fault).toMatchObject({
    reason: 'invalid_field',
    detail: expect.stringMatching(/29.*10.*20/),
  });
  expect(volumeFields(10, 20, 'octets ').fault).toMatchObject({ reason: 'invalid_field' });
});

test('an MSISDN is read in the form that is configured, and in no other', async () => {
  const { records } = await recordsOf(caseFile('bare-tbcd'));
  expect(records).toMatchObject([
    { reason: 'invalid_msisdn', detail: expect.stringContaining('msisdnFormat: tbcd') },
    { servedMsisdn: '999000000001' },
  ]);
  const bare = await recordsOf(caseFile('bare-tbcd'), { ...NO_CDR_MAPPING, msisdnFormat: 'tbcd' });
  expect(bare.records).toMatchObject([
    { servedMsisdn: '999000000001' },
    { reason: 'invalid_msisdn', detail: expect.stringContaining('address-string') },
  ]);
});

test('a container without times has those of its CDR', async () => {
  const startTime = Date.UTC(2026, 10, 3);
  const { records } = await recordsOf(caseFile('no-trigger-time'));
  expect(records).toMatchObject([{ startTime, endTime: startTime + 60_000, downlinkOctets: 0x100000 }]);
});

test('an IMSI is an MSISDN by the table, at the time of use', async () => {
  const table = (from: string) =>
    Subscribers.parse(`imsi,from,to,msisdn\n001010000000001,${from},,999000000001\n`) as Subscribers;
  const withTable = (from: string) => recordsOf(caseFile('imsi-only'), { ...NO_CDR_MAPPING, subscribers: table(from) });
  expect((await withTable('2026-11-01T00:00:00Z')).records).toMatchObject([{ servedMsisdn: '999000000001' }]);
  const late = (await withTable('2026-12-01T00:00:00Z')).records[0];
  expect(late).toMatchObject({ reason: 'missing_field', detail: expect.stringContaining('not in the table') });
  expect(JSON.stringify(late)).not.toContain('001010000000001');
  expect((await recordsOf(caseFile('imsi-only'))).records).toMatchObject([
    { reason: 'missing_field', detail: expect.stringContaining('--subscribers FILE') },
  ]);
});

test('faults of a table of subscribers are by line and show no IMSI', () => {
  expect(Subscribers.parse('imsi,from,to,msisdn\n12,2026-11-01T00:00:00Z,,1\n0010100000,x,,1')).toEqual([
    '2: imsi is not 6 to 15 digits',
    '3: from and to are times with their offset, as 2026-01-31T00:00:00Z',
  ]);
});

describe('a CDR with values that are damaged', () => {
  const record = contents[0];
  const wrapped = (inside: Buffer) => {
    const length = Buffer.from([0x82, inside.length >> 8, inside.length & 255]);
    return Buffer.concat([Buffer.from('bf4f', 'hex'), length, inside]);
  };
  const fields = record.subarray(record.length - record[3]);

  test('is read where nothing of it is needed', () => {
    const expected = cdrFlowRecords(record, NO_CDR_MAPPING);
    // recordExtensions [19], a private tag, and one that is too long for its place: each damaged inside.
    for (const hex of ['b304300a0101', 'e3033005ff', 'bf8a7703a1ff01'])
      expect(cdrFlowRecords(wrapped(Buffer.concat([fields, Buffer.from(hex, 'hex')])), NO_CDR_MAPPING)).toEqual(
        expected,
      );
  });

  test('is never a record of 0 octets where its containers are', () => {
    const at = fields.indexOf(Buffer.from('bf22', 'hex'));
    const damaged = Buffer.from(fields);
    damaged[at + 4] = 0x7f;
    const [only, ...others] = cdrFlowRecords(wrapped(damaged), NO_CDR_MAPPING) as object[];
    expect(others).toEqual([]);
    expect(only).toMatchObject({ fault: { reason: 'invalid_field', detail: 'listOfServiceData is damaged' } });
  });
});
