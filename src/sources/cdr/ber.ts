import { type BaseBlock, Constructed, fromBER } from 'asn1js';
import type { BerValue } from './ber-value.ts';
import { readDamagedBer } from './lenient-ber.ts';

const CONTEXT_SPECIFIC = 3;
/** TS 32.298 nests ten deep at most. */
const MAX_DEPTH = 32;
/** A CDR has 65535 octets at most (TS 32.297), and a value two at least. */
const MAX_VALUES = 32_768;

/** The one value that fills the octets; a text says why there is none. Never throws, whatever the octets are. */
export function readBer(octets: Uint8Array): BerValue | string {
  const limits = { maxDepth: MAX_DEPTH, maxNodes: MAX_VALUES, maxContentLength: octets.length, parseEmbedded: false };
  let read: ReturnType<typeof fromBER>;
  try {
    read = fromBER(octets, limits);
  } catch {
    // What is thrown is dropped: its message may quote the octets.
    return 'no BER';
  }
  if (read.offset === -1) return readDamagedBer(octets) ?? 'no BER';
  if (!isFiller(octets.subarray(read.offset)))
    return `${octets.length - read.offset} octets after the end of the record`;
  return berValue(read.result);
}

/** Octets that only fill up: 0x00 and 0xFF. */
export function isFiller(octets: Uint8Array): boolean {
  return octets.every((octet) => octet === 0 || octet === 0xff);
}

function berValue(block: BaseBlock): BerValue {
  const { idBlock, lenBlock } = block;
  const tag = idBlock.tagClass === CONTEXT_SPECIFIC ? idBlock.tagNumber : -1;
  if (block instanceof Constructed) return { tag, octets: EMPTY, values: block.valueBlock.value.map(berValue) };
  // Whatever its type: the content after tag and length.
  return { tag, octets: block.valueBeforeDecodeView.subarray(idBlock.blockLength + lenBlock.blockLength), values: [] };
}

const EMPTY = new Uint8Array(0);
