import type { FileHandle } from 'node:fs/promises';

const STEP_OCTETS = 64 * 1024;
const NEWLINE = 10;

/** Cuts a last line that has no end, as a crash leaves it. Resolves with the length of what is left, in octets. */
export async function healLines(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const length = await endOfLastLine(handle, size);
  if (length < size) {
    await handle.truncate(length);
    await handle.sync();
  }
  return length;
}

async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0; end -= STEP_OCTETS) {
    const start = Math.max(0, end - STEP_OCTETS);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline !== -1) return start + newline + 1;
  }
  return 0;
}
