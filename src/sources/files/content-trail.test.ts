import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ContentTrail } from './content-trail.ts';
import { FileEnding } from './file-ending.ts';
import { openOctets } from './flow-file.ts';

const sha256 = (octets: Uint8Array) => createHash('sha256').update(octets).digest('hex');

test('a proof is octets and SHA-256 of the content up to a place, however the file was read', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (parts, places, headerShare) => {
        const whole = Buffer.concat(parts);
        const begin = Math.floor(headerShare * whole.length);
        const ends = places.map((place) => begin + Math.floor(place * (whole.length - begin))).sort((a, b) => a - b);
        const trail = new ContentTrail();
        for await (const _ of trail.tap(Readable.from(parts.map((part) => Buffer.from(part))), new FileEnding(true)));
        trail.beginAt(begin);
        for (const [at, end] of ends.entries()) {
          if (at % 2 === 1) trail.advanceTo(end);
          expect(trail.proofAt(end)).toBe(`${end - begin}:${sha256(whole.subarray(begin, end))}`);
        }
      },
    ),
  );
});

test('gzip data that ends early is the end of a file that is still written, and an error of a final one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'zerorate-trail-'));
  const path = join(directory, 'flows.ndjson.gz');
  const packed = gzipSync(Buffer.from('{"a":1}\n'.repeat(10_000)));
  writeFileSync(path, packed.subarray(0, packed.length - 20));
  const file = { path, format: 'ndjson', gzipped: true, totalOctets: packed.length - 20 } as const;
  const read = async (isFinal: boolean, mayBeCut?: boolean) => {
    const ending = new FileEnding(isFinal, mayBeCut);
    for await (const _ of new ContentTrail().tap(openOctets(file).octets, ending));
    return { ...ending.heldBack, isFinal: ending.isFinal };
  };
  expect(await read(true, true)).toMatchObject({ what: expect.stringContaining('ends early'), isFinal: false });
  expect(await read(false)).toMatchObject({ what: expect.stringContaining('gzip data that ends early') });
  await expect(read(true)).rejects.toMatchObject({ code: 'Z_BUF_ERROR' });
  rmSync(directory, { recursive: true });
});

test('octets without the end of a record are not kept without bound, and records before them keep their proofs', async () => {
  const part = Buffer.alloc(1 << 20, 'x');
  const trail = new ContentTrail();
  const ends = [10, 1 << 20, (1 << 20) + 5];
  trail.pendingEnds = () => ends;
  for await (const _ of trail.tap(Readable.from(Array(400).fill(part) as Buffer[]), new FileEnding(true)));
  for (const end of ends) expect(trail.proofAt(end)).toBe(`${end}:${sha256(Buffer.alloc(end, 'x'))}`);
  // Not a record's end: what is before it was hashed, and is not there any more.
  expect(() => trail.proofAt(11)).toThrow('passed over');
  expect(trail.proofAt(400 << 20)).toBe(`${400 << 20}:${sha256(Buffer.alloc(400 << 20, 'x'))}`);
});
