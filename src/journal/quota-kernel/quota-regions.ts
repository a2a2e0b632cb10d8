/**
 * The regions of the quota kernel's linear memory, in bytes: constants that both compilers read, TypeScript's and AssemblyScript's.
 * README.md has them as a table.
 */

/** Updates that one call encodes: more than a batch of the default size moves. */
export const UPDATES = 131_072;
/** Octets of a pseudonym. */
export const SUBSCRIBER_OCTETS = 16;
/** Copies read and write sixteen octets at a time: so many after their end may be touched, and no result depends on them. */
export const COPY_OCTETS = 16;

/** Nothing is at the addresses below: an address that was never set leads nowhere. */
export const SUBSCRIBER = 1024;

// Written by the caller.
export const USED = SUBSCRIBER + UPDATES * SUBSCRIBER_OCTETS;
export const REMAINING = USED + UPDATES * 8;
export const OFFSET = REMAINING + UPDATES * 8;
export const HEAD = OFFSET + UPDATES * 8;
export const THRESHOLD = HEAD + UPDATES * 4;

// Written by the kernel: of each row, its value's length and its batch; the batches.
export const VALUE_OCTETS = THRESHOLD + UPDATES * 2;
export const BATCH_OF = VALUE_OCTETS + UPDATES * 4;
export const BATCHES = BATCH_OF + UPDATES * 4;

/** The parts of a batch, 32 bits each: four to be read by the caller, then where its next record goes, and how many it has. */
export const BATCH_PARTITION = 0;
export const BATCH_REQUEST = 4;
export const BATCH_COUNT = 8;
export const BATCH_OCTETS = 12;
export const BATCH_PLACE = 16;
export const BATCH_NEXT = 20;
export const BATCH_WRITTEN = 24;
export const BATCH_BYTES = 32;

/** From here on, one after another, as much as a call needs: heads, their octets, the open batches by partition, records. */
export const HEADS = BATCHES + UPDATES * BATCH_BYTES;

/** The parts of a head, 32 bits each: places and lengths of its key, its value up to the use, and what comes after the use. */
export const HEAD_KEY = 0;
export const HEAD_KEY_OCTETS = 4;
export const HEAD_VALUE = 8;
export const HEAD_VALUE_OCTETS = 12;
export const HEAD_DIGITS_AT = 16;
export const HEAD_AFTER_USE = 20;
export const HEAD_AFTER_USE_OCTETS = 24;
export const HEAD_BYTES = 32;

/** Pages of 64 KiB that are there from the beginning. */
export const COLUMN_PAGES = (HEADS + 65_535) >> 16;
