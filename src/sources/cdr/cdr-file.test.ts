import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import { NO_LATER_FIELDS } from '../../rating/flow-record.ts';
import { readRecord } from '../../rating/pipeline.ts';
import { FileEnding } from '../files/file-ending.ts';
import { decodeMadeValue } from '../files/made-value.ts';
import { type CdrFile, cdrFlowRecords, openCdrFile } from './cdr-file.ts';
import { CdrFileError } from './cdr-file-header.ts';
import { type CdrMapping, NO_CDR_MAPPING } from './cdr-mapping.ts';

const file = readFileSync(packagePath('fixtures/cdr/pgw.cdr'));
const HEADER_OCTETS = file.readUInt32BE(4);
const CDR_HEADER_OCTETS = 5;
const flowsOf = (name: string) =>
  readFileSync(packagePath(`fixtures/cdr/${name}.ndjson`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => ({ ...NO_LATER_FIELDS, ...JSON.parse(line) }));
const flows = flowsOf('pgw');
/** As make.py has it. */
const MAPPING: CdrMapping = {
  contentTypes: { serviceIdentifiers: { 7001: 'voice' }, ratingGroups: { 100: 'text', 200: 'video' } },
};
/** Where each CDR begins, with its header. */
const starts: number[] = [];
for (let at = HEADER_OCTETS; at < file.length; at += CDR_HEADER_OCTETS + file.readUInt16BE(at)) starts.push(at);

/** Records as the engine takes them, or their faults; in reads of so many octets. */
async function recordsOf(octets: Buffer, readOctets = 1000, limitOctets = 4096, mapping = MAPPING) {
  const reads: Buffer[] = [];
  for (let at = 0; at < octets.length; at += readOctets) reads.push(octets.subarray(at, at + readOctets));
  const { header, batches } = (await openCdrFile(Readable.from(reads), limitOctets, mapping)) as CdrFile;
  const values: Buffer[] = [];
  for await (const batch of batches) values.push(...batch.map(({ value }) => value));
  const records = values.map((value) => readRecord({ value, oversizedOctets: 0 }, decodeMadeValue));
  return { header, values, records };
}

/** The file with some of its octets changed. */
function changed(change: (octets: Buffer) => void): Buffer {
  const octets = Buffer.from(file);
  change(octets);
  return octets;
}

/** How many records the n-th CDR has. */
const recordsIn = (cdr: number) => {
  const number = (flow: { localSequenceNumber: number }) => Math.floor(flow.localSequenceNumber / 10_000);
  const numbers = [...new Set(flows.map(number))];
  return flows.filter((flow) => number(flow) === numbers[cdr]).length;
};
const recordsBefore = (cdr: number) => starts.slice(0, cdr).reduce((sum, _, i) => sum + recordsIn(i), 0);

describe('a file that another encoder wrote', () => {
  test.each([1, 7, 1000, 1 << 20])('its containers are the flow records, in reads of %i octets', async (readOctets) => {
    const { records } = await recordsOf(file, readOctets);
    expect(records).toEqual(flows);
  });

  test('the used unit containers of CHF-CDRs are theirs', async () => {
    const { records, header } = await recordsOf(readFileSync(packagePath('fixtures/cdr/chf.cdr')));
    expect(records).toEqual(flowsOf('chf'));
    expect(header.cdrs).toBe(40);
  });

  test.each(['network-pgw', 'network-chf'])('where the terminal was is kept if it is asked for: %s', async (name) => {
    const octets = readFileSync(packagePath(`fixtures/cdr/${name}.cdr`));
    const expected = flowsOf(name);
    expect((await recordsOf(octets, 1000, 4096, { ...MAPPING, network: true })).records).toEqual(expected);
    for (const field of ['servingPlmn', 'ratType', 'trackingArea'])
      expect(new Set(expected.map((flow) => flow[field])).size).toBeGreaterThan(3);
    const without = expected.map((flow) => ({ ...flow, ...NO_LATER_FIELDS }));
    expect((await recordsOf(octets)).records).toEqual(without);
  });

  test('its header', async () => {
    expect((await recordsOf(file)).header).toMatchObject({
      fileOctets: file.length,
      headerBytes: 57,
      releases: { low: 15, high: 15 },
      cdrs: starts.length,
      fileSequenceNumber: 17,
      closure: 'file open time limit',
      lostCdrs: '2 CDRs lost',
    });
  });

  test.each<[string, (octets: Buffer, at: number) => void, string]>([
    ['octets that are no BER', (octets, at) => octets.fill(0xff, at + 5, at + 9), 'no BER'],
    [
      'another record',
      (octets, at) => octets.writeUInt16BE(0xbf2e, at + 5),
      'no PGW-CDR and no CHF-CDR: its tag is 46, not 79 or 200',
    ],
    ['packed encoding', (octets, at) => octets.writeUInt8(0x47, at + 3), 'in unaligned PER, not in BER'],
    ['a format that is none', (octets, at) => octets.writeUInt8(0xe7, at + 3), 'in format 7, not in BER'],
  ])('a CDR with %s is one rejected record, and the next is read', async (_, change, detail) => {
    const at = starts[7];
    const { records, values } = await recordsOf(changed((octets) => change(octets, at)));
    const place = String(at).replace(/(\d)(\d{3})$/, '$1 $2');
    const fault = { reason: 'malformed', detail: `CDR 8 at octet ${place}: ${detail}` };
    const [before, after] = [recordsBefore(7), recordsBefore(8)];
    expect(records).toEqual([...flows.slice(0, before), fault, ...flows.slice(after)]);
    expect(values[before].toString()).toBe(JSON.stringify({ fault }));
  });

  test.each([0, 1, starts.length - 1])(
    'a first CDR whose damage fits another way of cutting is one rejected record, with %i behind it',
    async (behind) => {
      // Under lengths that count the header it is a BER value of no content, and whole.
      const damaged = Buffer.from('bf4f8000003080800102', 'hex');
      const header = Buffer.from(file.subarray(starts[0], starts[0] + CDR_HEADER_OCTETS));
      header.writeUInt16BE(damaged.length, 0);
      const end = starts[behind + 1] ?? file.length;
      const octets = Buffer.concat([file.subarray(0, starts[0]), header, damaged, file.subarray(starts[1], end)]);
      octets.writeUInt32BE(octets.length, 0);
      octets.writeUInt32BE(1 + behind, 18);
      const { records } = await recordsOf(octets);
      const fault = { reason: 'malformed', detail: expect.stringMatching(/^CDR 1 at octet 57: /) };
      expect(records).toEqual([fault, ...flows.slice(recordsBefore(1), recordsBefore(behind + 1))]);
    },
  );

  test('a number of CDRs that is not the header’s is one more rejected record', async () => {
    const { records } = await recordsOf(changed((octets) => octets.writeUInt32BE(7, 18)));
    const detail = `the file header says 7 CDRs, there are ${starts.length}`;
    expect(records).toEqual([...flows, { reason: 'malformed', detail }]);
    const { records: unknown } = await recordsOf(changed((octets) => octets.writeUInt32BE(0xffffffff, 18)));
    expect(unknown).toEqual(flows);
  });

  test('a CDR whose length passes the end of a whole file is one rejected record', async () => {
    const last = starts.length - 1;
    const { records } = await recordsOf(changed((octets) => octets.writeUInt16BE(65_535, starts[last])));
    const [fault] = records.slice(recordsBefore(last));
    expect(fault).toMatchObject({
      reason: 'malformed',
      detail: expect.stringMatching(/^CDR 119 at octet .*: cut short$/),
    });
  });
});

test('a file without a CDR has no records', async () => {
  const empty = Buffer.from(file.subarray(0, HEADER_OCTETS));
  empty.writeUInt32BE(HEADER_OCTETS, 0);
  empty.writeUInt32BE(0, 18);
  expect((await recordsOf(empty)).records).toEqual([]);
});

test.each<[string, Buffer, string]>([
  ['nothing', Buffer.alloc(0), 'has 0 octets: a CDR file (TS 32.297) begins with a header of 50 at least'],
  [
    'CDRs without a file header',
    file.subarray(HEADER_OCTETS),
    `octets 5 to 8 say a header of ${file.readUInt32BE(HEADER_OCTETS + 4)} octets, but that of a CDR file (TS 32.297) has 50 to 131124`,
  ],
  [
    'a routeing filter past the header',
    changed((octets) => octets.writeUInt16BE(8, 48)),
    "octets 49 and 50 say a routeing filter that ends at 58, past the header's 57 octets",
  ],
  [
    'a length below the header’s',
    changed((octets) => octets.writeUInt32BE(50, 0)),
    "octets 1 to 4 say a file of 50 octets, less than its header's 57",
  ],
  ['a header that is cut', file.subarray(0, 52), 'ends at octet 52, inside of its header of 57 octets'],
])('%s is an error that says where', async (_, octets, message) => {
  await expect(recordsOf(octets)).rejects.toThrow(new CdrFileError(message));
});

const unsized = changed((octets) => octets.writeUInt32BE(0xffffffff, 0));
test.each<[string, Buffer, string, string]>([
  ['a CDR that is cut', file.subarray(0, starts[3] + 40), 'a last CDR that is not whole', 'cut short'],
  ['CDRs that are missing', file.subarray(0, starts[3]), 'by its header', 'but its header says'],
  ['a CDR that is cut in a file of no length', unsized.subarray(0, starts[3] + 40), 'a last CDR', 'cut short'],
  ['a CDR header that is cut', unsized.subarray(0, starts[3] + 3), 'a last CDR', 'cut short'],
])('%s waits for its rest, and is a rejected record of a final file', async (_, octets, what, detail) => {
  const read = async (isFinal: boolean) => {
    const ending = new FileEnding(isFinal);
    const { batches } = (await openCdrFile(Readable.from([octets]), 1 << 20, NO_CDR_MAPPING, ending)) as CdrFile;
    const values: string[] = [];
    for await (const batch of batches) values.push(...batch.map(({ value }) => value.toString()));
    return { values, heldBack: ending.heldBack };
  };
  const growing = await read(false);
  expect(growing.heldBack?.what).toContain(what);
  expect(growing.values).toHaveLength(recordsBefore(3));
  const final = await read(true);
  expect(final).toMatchObject({ heldBack: null });
  expect(final.values[recordsBefore(3)]).toContain(detail);
});

describe('octets of no writer', { timeout: 120_000 }, () => {
  const cdrs = starts.map((at) =>
    file.subarray(at + CDR_HEADER_OCTETS, at + CDR_HEADER_OCTETS + file.readUInt16BE(at)),
  );
  const change = fc.tuple(fc.nat({ max: 700 }), fc.nat({ max: 255 }));
  const chf = readFileSync(packagePath('fixtures/cdr/chf.cdr'));
  const begin = chf.readUInt32BE(4);
  const chfCdr = chf.subarray(begin + CDR_HEADER_OCTETS, begin + CDR_HEADER_OCTETS + chf.readUInt16BE(begin));
  const mutated = fc
    .tuple(
      fc.constantFrom(...cdrs, ...Array(20).fill(chfCdr)),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.nat({ max: 900 }),
    )
    .map(([cdr, changes, length]) => {
      const octets = Buffer.from(cdr);
      for (const [at, octet] of changes) if (at < octets.length) octets[at] = octet;
      return octets.subarray(0, length === 0 ? octets.length : length);
    });
  const nested = fc.nat({ max: 5000 }).map((depth) => Buffer.from('bf4f80'.repeat(depth), 'hex'));
  const any = fc.oneof(mutated, mutated, fc.uint8Array({ maxLength: 200 }).map(Buffer.from), nested);

  test('are records or say why not, and are never read past their end', () => {
    const seen = { records: 0, faults: 0 };
    fc.assert(
      fc.property(any, (octets) => {
        const alone = cdrFlowRecords(octets, MAPPING);
        // The same among other octets: what is around them is not read.
        const around = Buffer.concat([Buffer.alloc(9, 0x30), octets, Buffer.alloc(9, 0x02)]);
        expect(cdrFlowRecords(around.subarray(9, 9 + octets.length), MAPPING)).toEqual(alone);
        if (typeof alone === 'string') seen.faults++;
        else seen.records++;
        const values = typeof alone === 'string' ? [] : alone.map((record) => Buffer.from(JSON.stringify(record)));
        for (const value of values) readRecord({ value, oversizedOctets: 0 }, decodeMadeValue);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(seen.records, seen.faults)).toBeGreaterThan(100);
  });

  test('in a file: every CDR is its records or one rejected record, whatever is changed inside of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: starts.length - 1 }), mutated, async (cdr, octets) => {
        const at = starts[cdr];
        const end = at + CDR_HEADER_OCTETS + file.readUInt16BE(at);
        const header = Buffer.from(file.subarray(at, at + CDR_HEADER_OCTETS));
        header.writeUInt16BE(octets.length, 0);
        const whole = Buffer.concat([file.subarray(0, at), header, octets, file.subarray(end)]);
        whole.writeUInt32BE(whole.length, 0);
        const { records } = await recordsOf(whole, 1 << 20);
        const before = recordsBefore(cdr);
        const after = flows.slice(recordsBefore(cdr + 1));
        expect(records.slice(0, before)).toEqual(flows.slice(0, before));
        expect(records.slice(records.length - after.length)).toEqual(after);
        expect(records.length).toBeGreaterThan(before + after.length);
      }),
      { numRuns: 60 },
    );
  });

  test('for a whole file: an error of its own kind, or records', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: 2000 }), fc.nat({ max: 255 })), { maxLength: 20 }),
        async (changes) => {
          const octets = changed((copy) => {
            for (const [at, octet] of changes) copy[at] = octet;
          });
          await recordsOf(octets, 1 << 20).catch((error) => expect(error).toBeInstanceOf(CdrFileError));
        },
      ),
      { numRuns: 150 },
    );
  });
});
