import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { packagePath } from '../../platform/package-paths.ts';
import type { Candidate } from '../../rating/flow-record.ts';
import { FileEnding, type HeldBack } from '../files/file-ending.ts';
import { type FileNotice, fileSource } from '../files/file-source.ts';
import type { SourceListener } from '../source.ts';
import { cdrFlowRecords, openCdrFile } from './cdr-file.ts';
import { NO_CDR_MAPPING } from './cdr-mapping.ts';

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

/** The contents of the CDRs of a file whose CDR headers have 5 octets. */
function contentsOf(name: string): Buffer[] {
  const file = readFileSync(packagePath(`fixtures/cdr/${name}.cdr`));
  const contents: Buffer[] = [];
  for (let at = file.readUInt32BE(4); at < file.length; at += 5 + file.readUInt16BE(at)) {
    contents.push(file.subarray(at + 5, at + 5 + file.readUInt16BE(at)));
  }
  return contents;
}
const contents = [...contentsOf('pgw'), ...contentsOf('chf')].sort((a, b) => a.length - b.length);
/** The length's first octet of the one is 0, and that of the other is not. */
const SHORT = 0;
const LONG = contents.findIndex(({ length }) => length > 256);

interface Layout {
  /** As places in `contents`. */
  cdrs: readonly number[];
  /** Octets of each CDR header. */
  header: 4 | 5;
  /** Does the release in the CDR headers say how many octets they have? */
  saysHeader: boolean;
  countsHeader: boolean;
  /** Octets of the file header beyond what it says: `extra`. */
  extra: readonly number[] | 'short';
  filler: { octet: 0 | 0xff; before: number; inside: number; between: number };
  /** How the file header has lengths and counts: not at all, of the whole file, or of what was written some CDRs ago. */
  lengths: 'unknown' | 'whole' | 'behind';
}

const SAID = 52;
const READ_OCTETS = 4096;
const PLAIN: Layout = {
  cdrs: [SHORT, LONG, SHORT],
  header: 5,
  saysHeader: true,
  countsHeader: false,
  extra: [],
  filler: { octet: 0, before: 0, inside: 0, between: 0 },
  lengths: 'unknown',
};

interface Written {
  /** The file's octets up to there. */
  upTo(length: number): Buffer;
  octets: number;
  /** Of CDRs that end within so many octets. */
  recordsIn(length: number): number;
}

function write({ cdrs, header, saysHeader, countsHeader, extra, filler, lengths }: Layout): Written {
  const fill = (size: number) => Buffer.alloc(size, filler.octet);
  const release = (header === 5) === saysHeader ? 0xe3 : 0x63;
  const fileHeader = Buffer.alloc(SAID);
  fileHeader.writeUInt32BE(SAID, 4);
  fileHeader.writeUInt16BE(0xe3e3, 8);
  fileHeader.writeUInt16BE(0x0303, 50);
  const parts = [extra === 'short' ? fileHeader.subarray(0, 50) : Buffer.concat([fileHeader, Buffer.from(extra)])];
  // Without a CDR, of as many octets as the header says of itself.
  const ends = [SAID];
  parts.push(fill(filler.before));
  let at = parts[0].length + filler.before;
  for (const content of cdrs.map((place) => contents[place])) {
    const cdrHeader = Buffer.from([0, 0, release, 0x34, 3]).subarray(0, header);
    cdrHeader.writeUInt16BE(content.length + filler.inside + (countsHeader ? header : 0), 0);
    const cdr = Buffer.concat([cdrHeader, content, fill(filler.inside)]);
    parts.push(cdr, fill(filler.between));
    ends.push(at + cdr.length);
    at += cdr.length + filler.between;
  }
  const whole = Buffer.concat(parts);
  const upTo = (length: number) => {
    const octets = Buffer.from(whole.subarray(0, length));
    const ended = ends.filter((end) => end <= length).length - 1;
    const isDone = lengths === 'whole' || length === whole.length;
    const said = isDone ? cdrs.length : Math.max(0, ended - (length % 2));
    if (length >= SAID) octets.writeUInt32BE(lengths === 'unknown' ? 0xffffffff : ends[said], 0);
    if (length >= SAID) octets.writeUInt32BE(lengths === 'unknown' ? 0xffffffff : said, 18);
    return octets;
  };
  const recordsIn = (length: number) => {
    const ended = cdrs.filter((_, i) => (ends[i + 1] as number) <= length);
    return ended.flatMap(recordsOf).length;
  };
  return { upTo, octets: whole.length, recordsIn };
}

const recordsOf = (cdr: number) => cdrFlowRecords(contents[cdr], NO_CDR_MAPPING) as Candidate[];

/** Records with where they end in the content, and what was held back. */
async function read(octets: Buffer, isFinal: boolean) {
  const ending = new FileEnding(isFinal);
  const reads: Buffer[] = [];
  for (let at = 0; at < octets.length; at += READ_OCTETS) reads.push(octets.subarray(at, at + READ_OCTETS));
  const file = await openCdrFile(Readable.from(reads), 1 << 20, NO_CDR_MAPPING, ending);
  const records: string[] = [];
  if (file !== null) {
    for await (const batch of file.batches) {
      for (const { value, contentEnd } of batch) records.push(`${contentEnd - file.contentBegin} ${value}`);
    }
  }
  return { records, heldBack: ending.heldBack as HeldBack | null };
}

const fieldsOf = (record: string) => JSON.parse(record.slice(record.indexOf(' ') + 1));

async function wholeRecords(layout: Layout, { upTo, octets }: Written): Promise<string[]> {
  const { records } = await read(upTo(octets), true);
  const expected = layout.cdrs.flatMap(recordsOf);
  expect(records.map(fieldsOf)).toEqual(JSON.parse(JSON.stringify(expected)));
  return records;
}

/** Reads it as growing at each of these lengths: the records are the whole file's first ones, and what is not read is held back. */
async function expectGrowth(layout: Layout, cuts: readonly number[]): Promise<void> {
  const written = write(layout);
  const whole = await wholeRecords(layout, written);
  for (const cut of cuts) {
    const place = `${cut} of ${written.octets} octets`;
    const { records, heldBack } = await read(written.upTo(cut), false).catch((error) => {
      throw new Error(`refused at ${place}: ${error.message}`);
    });
    expect(records, place).toEqual(whole.slice(0, records.length));
    if (heldBack === null) expect(records.length, place).toBe(written.recordsIn(cut));
    else expect(records.length, place).toBeLessThanOrEqual(written.recordsIn(cut));
  }
}

const everyLength = (layout: Layout) => Array.from({ length: write(layout).octets + 1 }, (_, length) => length);

describe('a file that is read while it grows, octet by octet', () => {
  const framings = ([4, 5] as const).flatMap((header) =>
    [true, false].flatMap((saysHeader) =>
      [false, true].map((countsHeader) => ({ header, saysHeader, countsHeader }) as const),
    ),
  );
  test.each(framings)('has the records of the whole file: %o', async (framing) => {
    for (const lengths of ['unknown', 'whole', 'behind'] as const) {
      const layout: Layout = { ...PLAIN, ...framing, lengths };
      await expectGrowth(layout, everyLength(layout));
    }
  });

  test.each([0, 0xff] as const)('has them behind as much filler of %i as is read ahead', async (octet) => {
    for (const between of [262_144, 265_800, 265_900]) {
      const layout: Layout = { ...PLAIN, filler: { octet, before: 0, inside: 0, between } };
      const { octets } = write(layout);
      const end = octets - between;
      await expectGrowth(layout, [octets, end, end - 1, end - 200, end - 250, end - 4000]);
    }
  });

  test.each([0, 0xff] as const)('has them between filler of %i that may be a part of the CDRs', async (octet) => {
    const layout: Layout = { ...PLAIN, countsHeader: true, filler: { octet, before: 0, inside: 0, between: 20 } };
    await expectGrowth(layout, everyLength(layout));
    const inside: Layout = { ...PLAIN, filler: { octet, before: 20, inside: 20, between: 20 } };
    await expectGrowth(inside, everyLength(inside));
  });

  const size = fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 9 }), fc.integer({ min: 10, max: 600 }));
  const layouts: fc.Arbitrary<Layout> = fc
    .record({
      cdrs: fc.array(fc.oneof(fc.constantFrom(SHORT, LONG), fc.nat({ max: contents.length - 1 })), {
        minLength: 1,
        maxLength: 11,
      }),
      header: fc.constantFrom(4 as const, 5 as const),
      saysHeader: fc.boolean(),
      countsHeader: fc.boolean(),
      extra: fc.oneof(fc.constant('short' as const), fc.array(fc.constantFrom(0, 0xff), { maxLength: 2 })),
      filler: fc.record({
        octet: fc.constantFrom(0 as const, 0xff as const),
        before: size,
        inside: size,
        between: size,
      }),
      lengths: fc.constantFrom('unknown' as const, 'whole' as const, 'behind' as const),
    })
    // Both would be read right: such a CDR may also end 4 octets later, in the filler.
    .filter(({ countsHeader, filler }) => !countsHeader || filler.between === 0);

  test(`has the records of the whole file, however it is cut (seed ${SEED})`, async () => {
    const places = fc.array(fc.nat(), { minLength: 40, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(layouts, places, (layout, cuts) => {
        const { octets } = write(layout);
        return expectGrowth(layout, [octets, ...cuts.map((cut) => cut % octets)]);
      }),
      { seed: SEED, numRuns: Number(process.env.FUZZ_RUNS ?? 60) },
    );
  });
});

test('a run passes over a growing file that does not show yet how it is cut, says so, and reads it once it does', async () => {
  const whole = readFileSync(packagePath('fixtures/cases/cdr/header-5-octets-release-0.cdr'));
  const directory = mkdtempSync(join(tmpdir(), 'growing-cdr-file-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'flows.cdr');
  const read = async (octets: number) => {
    writeFileSync(path, whole.subarray(0, octets));
    const notices: FileNotice[] = [];
    const offsets: number[] = [];
    const listener: SourceListener = {
      assign: async () => 0,
      deliver: async (_log, records) => void offsets.push(...[...records].map(({ offset }) => offset)),
      flush: async () => {},
      revoke: async () => {},
    };
    const limits = { maxRecordBytes: 4096, chunkRecords: 10, readerSchema: 'string' } as const;
    const onNotice = (notice: FileNotice) => notices.push(notice);
    await fileSource({ ...limits, paths: [directory], isFinal: false, onNotice }).run(listener);
    return { offsets, notices };
  };
  const heldBack = (octets: number, what: string) => ({
    offsets: [],
    notices: [{ kind: 'held_back', path, octets, what }],
  });
  expect(await read(30)).toEqual(heldBack(30, 'a file header that is not whole'));
  // Behind the first CDR's header, 1 octet before its end, its end, and inside of the second one.
  for (const octets of [58, 234, 235, 400]) {
    expect(await read(octets)).toEqual(heldBack(octets - 54, 'too few whole CDRs to find their framing'));
  }
  expect(await read(whole.length)).toEqual({ offsets: [0, 1], notices: [] });
});
