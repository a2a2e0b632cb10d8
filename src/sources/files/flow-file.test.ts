import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openOctets } from './flow-file.ts';

async function unpacked(packed: Buffer): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'flow-file-'));
  const path = join(directory, 'f.ndjson.gz');
  writeFileSync(path, packed);
  try {
    const { octets } = openOctets({ path, format: 'ndjson', gzipped: true, totalOctets: packed.length });
    const parts: Buffer[] = [];
    for await (const part of octets) parts.push(part as Buffer);
    return Buffer.concat(parts).toString();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('gzip data may have several members, and zeros behind the last one', async () => {
  expect(await unpacked(Buffer.concat([gzipSync('a\n'), gzipSync('b\n'), Buffer.alloc(700_000)]))).toBe('a\nb\n');
});

test('other data behind zeros is not passed over without a message', async () => {
  const octets = Buffer.concat([gzipSync('a\n'), Buffer.alloc(512), gzipSync('b\n')]);
  await expect(unpacked(octets)).rejects.toMatchObject({
    code: 'file_unreadable',
    message: expect.stringMatching(/the gzip data ends at octet \d+, zeros follow, and other data at octet \d+/),
  });
});
