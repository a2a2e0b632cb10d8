/** The texts of a record, by their place in `FlowFields.spans`. */
export const NODE_ID = 0;
export const SERVED_MSISDN = 1;
export const ZERO_RATING_TAG = 2;
export const SPONSOR_IDENTITY = 3;
export const ASP_IDENTITY = 4;
/** Texts that only the reader looks at. */
export const OTHER_TEXT = 5;
const TEXTS = 6;

/** The start of a text that is null. */
export const NULL = -1;

/**
 * What rating needs of one valid flow record, in its octets: where the texts are, and the numbers. It is filled again for each record,
 * so that reading one makes no object and no string. All texts are ASCII.
 */
export class FlowFields {
  octets: Uint8Array = new Uint8Array(0);
  /** Where in `octets` the record is, as `canonicalDatum` writes it. */
  datumStart = 0;
  datumEnd = 0;
  /** Start and end of each text in `octets`. */
  readonly spans = new Int32Array(TEXTS * 2);
  /** The MSISDN's digits after a 1, which keeps leading zeros apart: at most 16 digits, exact in a double. */
  msisdnKey = 0;
  localSequenceNumber = 0;
  startTimeMs = 0;
  endTimeMs = 0;
  uplinkOctets = 0;
  downlinkOctets = 0;
  /** Four words, as `parseIp` writes them. */
  readonly remoteAddress = new Uint32Array(4);
  /** Whether it has an identity of its sponsor or its provider; where not, their spans are not filled. */
  hasIdentities = false;
  /** Code of the content type. */
  contentType = 0;
}

/** Reads the record in `octets` from `start` to `end` that is valid and of the usual shape; false for all others, which `Decoder` and the validation judge. */
export type FlowReader = (octets: Uint8Array, start: number, end: number, fields: FlowFields) => boolean;
