import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FileEnding } from './file-ending.ts';
import { readLines } from './line-reader.ts';

/** Each line as text, with its true length after a `+` where it was cut. */
async function linesOf(chunks: readonly Uint8Array[], limitOctets = 100): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of readLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), limitOctets)) {
    for (const { value, oversizedOctets } of batch) {
      lines.push(oversizedOctets === 0 ? value.toString() : `${value}+${oversizedOctets}`);
    }
  }
  return lines;
}

test.each([
  ['nothing', '', []],
  ['one line', 'a\n', ['a']],
  ['a last line without an end', 'a\nb', ['a', 'b']],
  ['carriage returns', 'a\r\nb\r\n', ['a', 'b']],
  ['empty lines', '\n\na\n\r\n\nb\n\n', ['a', 'b']],
  ['a carriage return inside', 'a\rb\n', ['a\rb']],
  ['spaces, which are not empty', ' \n', [' ']],
  ['a line of the limit', `${'x'.repeat(100)}\r\n`, ['x'.repeat(100)]],
  ['a line above the limit', `${'x'.repeat(101)}\na\n`, [`${'x'.repeat(100)}+101`, 'a']],
  ['a last line above the limit', 'x'.repeat(1000), [`${'x'.repeat(100)}+1000`]],
])('reads %s', async (_case, text, lines) => {
  expect(await linesOf([Buffer.from(text)])).toEqual(lines);
});

test('gives the same lines however the octets arrive', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '\r', '\n', 'bcdefgh') });
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.array(fc.nat(12), { minLength: 1 }),
      fc.integer({ min: 1, max: 12 }),
      async (all, cuts, limit) => {
        const octets = Buffer.from(all);
        const chunks: Buffer[] = [];
        for (let at = 0, turn = 0; at < octets.length; turn += 1) {
          const size = Math.max(1, cuts[turn % cuts.length] ?? 1);
          chunks.push(octets.subarray(at, at + size));
          at += size;
        }
        const expected = all
          .split('\n')
          .map((line) => Buffer.from(line.replace(/\r$/, '')))
          .filter((line) => line.length > 0)
          .map((line) => (line.length > limit ? `${line.subarray(0, limit)}+${line.length}` : line.toString()));
        expect(await linesOf(chunks, limit)).toEqual(expected);
      },
    ),
  );
});

test('holds no more of an endless line than the limit', async () => {
  const chunk = Buffer.alloc(1 << 20, 'x');
  const input = Readable.from(Array(64).fill(chunk) as Buffer[]);
  const lines = await collected(readLines(input, 10));
  const contentEnd = 64 << 20;
  expect(lines.flat()).toMatchObject([{ value: Buffer.from('x'.repeat(10)), oversizedOctets: contentEnd, contentEnd }]);
});

test('what is left of a cut line does not hold the read that brought it', async () => {
  const chunk = Buffer.from(`${'x'.repeat(1 << 20)}\nshort\n`);
  const [cut, whole] = (await collected(readLines(Readable.from([chunk]), 10))).flat();
  expect([cut?.value.toString(), cut?.oversizedOctets, cut?.contentEnd]).toEqual(['x'.repeat(10), 1 << 20, 1 << 20]);
  expect(cut?.octets.buffer.byteLength).toBeLessThanOrEqual(1 << 16);
  expect(whole?.octets).toBe(chunk);
});

test('a last line without its line end is held back unless the file is final', async () => {
  const octets = 'first\r\n\nlast';
  const read = async (isFinal: boolean) => {
    const ending = new FileEnding(isFinal);
    const lines = (await collected(readLines(Readable.from([Buffer.from(octets)]), 10, ending))).flat();
    return { lines: lines.map(({ value, contentEnd }) => [value.toString(), contentEnd]), heldBack: ending.heldBack };
  };
  expect(await read(false)).toEqual({
    lines: [['first', 5]],
    heldBack: { octets: 4, what: 'a last line without its line end' },
  });
  expect(await read(true)).toEqual({
    lines: [
      ['first', 5],
      ['last', 12],
    ],
    heldBack: null,
  });
});

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
