import { type FileEnding, finalEnding } from './file-ending.ts';
import { type FramedRecord, framedRecord } from './framed-record.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const EMPTY = Buffer.alloc(0);

/**
 * Yields the lines of a stream of octets, without their `\n` or `\r\n`, all that one read brought at a time. A line above
 * the limit is cut to it and says its true length. Empty lines are left out; the last line needs an end unless the file is final.
 * Memory is bounded by the stream's reads and the limit.
 */
export async function* readLines(
  input: AsyncIterable<Buffer>,
  limitOctets: number,
  ending: FileEnding = finalEnding(),
): AsyncGenerator<FramedRecord[], void, undefined> {
  const rest = new OpenLine(limitOctets);
  let offset = 0;
  for await (const chunk of input) {
    const lines: FramedRecord[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      const line = rest.close(chunk, start, end, offset + end);
      if (line !== null) lines.push(line);
      start = end + 1;
    }
    rest.add(chunk.subarray(start));
    offset += chunk.length;
    if (lines.length > 0) yield lines;
  }
  const { octets } = rest;
  const last = rest.close(EMPTY, 0, 0, offset);
  if (last === null) return;
  if (ending.isFinal) yield [last];
  else ending.holdBack(octets, 'a last line without its line end');
}

/** A line whose end has not been read yet. */
class OpenLine {
  readonly #limitOctets: number;
  #parts: Buffer[] = [];
  #keptOctets = 0;
  #octets = 0;
  #lastOctet = -1;

  constructor(limitOctets: number) {
    this.#limitOctets = limitOctets;
  }

  /** Read so far. */
  get octets(): number {
    return this.#octets;
  }

  add(part: Buffer): void {
    if (part.length === 0) return;
    this.#octets += part.length;
    this.#lastOctet = part[part.length - 1] as number;
    const kept = part.subarray(0, this.#limitOctets - this.#keptOctets);
    if (kept.length === 0) return;
    this.#parts.push(kept);
    this.#keptOctets += kept.length;
  }

  /**
   * Ends the line with its last part, [start, end) of a chunk, null if it is empty, and starts the next one. `fileEnd`: where in the
   * file the line feed is, or would be.
   */
  close(chunk: Buffer, start: number, end: number, fileEnd: number): FramedRecord | null {
    // Nearly every line lies within one read, and needs no gathering.
    if (this.#octets === 0) return lineOf(chunk, start, end - start, chunk[end - 1], this.#limitOctets, fileEnd);
    this.add(chunk.subarray(start, end));
    const octets = Buffer.concat(this.#parts);
    const line = lineOf(octets, 0, this.#octets, this.#lastOctet, this.#limitOctets, fileEnd);
    this.#parts = [];
    this.#keptOctets = 0;
    this.#octets = 0;
    return line;
  }
}

function lineOf(
  octets: Buffer,
  start: number,
  trueOctets: number,
  lastOctet: number | undefined,
  limitOctets: number,
  end: number,
): FramedRecord | null {
  const lineEndOctets = trueOctets > 0 && lastOctet === CARRIAGE_RETURN ? 1 : 0;
  const length = trueOctets - lineEndOctets;
  return length === 0 ? null : framedRecord(octets, start, length, limitOctets, end - lineEndOctets);
}
