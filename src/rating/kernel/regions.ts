/**
 * The regions of the kernel's linear memory, in bytes: constants that both compilers read, TypeScript's and AssemblyScript's.
 * README.md has them as a table.
 */

/** Records that one call decodes: columns of so many stay in the processor's first cache. */
export const ROWS = 256;
/** Longer than any datum in plain layout: 14 texts of 256 octets, and the numbers. */
export const MAX_DATUM_OCTETS = 4096;
/** Octets of the records of one call. */
export const INPUT_OCTETS = 131_072;
/** Octets after the input that may be read, eight at a time, and that no result depends on. */
export const SLACK_OCTETS = 256;
/** Texts that are numbered at the same time: a power of two. */
export const MAX_TEXTS = 65_536;
/** Slots of their index that are searched for a text: further from its first one is only what a client has chosen for its hash. */
export const MAX_PROBES = 256;
/** So many searches without a result, and all texts are forgotten: what a client has chosen does not slow others down for long. */
export const MAX_MISSED_TEXTS = 4096;
/** Octets of these texts. */
export const TEXT_OCTETS = 2_097_152;

/** Codes of content types that there is room for. */
export const CONTENT_CODES = 8;
/** Ways of detection, and 0 for none. */
export const DETECTION_CODES = 4;
/** Fields of a flow record, numbered in the order of a datum. */
export const FIELDS = 27;
/** A field's name and the quote after it. */
export const FIELD_NAME_BYTES = 40;

const F64 = ROWS * 8;
const U32 = ROWS * 4;
const U16 = ROWS * 2;
const U8 = ROWS;
/** An octet for each field, up to a whole number of eight. */
const EACH_FIELD = (FIELDS + 7) & ~7;

/** Nothing is at the addresses below: an address that was never set leads nowhere. */
export const INPUT = 1024;

// Written by the caller.
export const DATUM_START = INPUT + INPUT_OCTETS + SLACK_OCTETS;
export const DATUM_END = DATUM_START + U32;
export const KEY_START = DATUM_END + U32;
export const KEY_END = KEY_START + U32;
export const LATEST_TIME = KEY_END + U32;
export const LAYOUT = LATEST_TIME + F64;
export const CONTENT_WORDS = LAYOUT + U8;
export const DETECTION_WORDS = CONTENT_WORDS + CONTENT_CODES * 8;
export const LIMITS = DETECTION_WORDS + DETECTION_CODES * 8;
export const FIELD_NAMES = LIMITS + 3 * 8;
export const FIELD_NAME_LENGTHS = FIELD_NAMES + FIELDS * FIELD_NAME_BYTES;
export const FIELD_KINDS = FIELD_NAME_LENGTHS + EACH_FIELD;
export const COLUMN_FIELDS = FIELD_KINDS + EACH_FIELD;
export const COLUMN_COUNT = COLUMN_FIELDS + EACH_FIELD;

// Written by the kernel.
export const SEQUENCE = COLUMN_COUNT + 8;
export const MSISDN = SEQUENCE + F64;
export const START_TIME = MSISDN + F64;
export const END_TIME = START_TIME + F64;
export const UPLINK = END_TIME + F64;
export const DOWNLINK = UPLINK + F64;
export const USAGE = DOWNLINK + F64;
export const FINGERPRINT = USAGE + 8;
export const ADDRESS = FINGERPRINT + U32;
export const NODE_TEXT = ADDRESS + U32 * 4;
export const TAG_TEXT = NODE_TEXT + U32;
export const SPONSOR_TEXT = TAG_TEXT + U32;
export const ASP_TEXT = SPONSOR_TEXT + U32;
export const SERVING_PLMN_TEXT = ASP_TEXT + U32;
export const TRACKING_AREA_TEXT = SERVING_PLMN_TEXT + U32;
export const DETECTED_TEXT = TRACKING_AREA_TEXT + U32;
export const ACCOUNT_TEXT = DETECTED_TEXT + U32;
export const RAT_TYPE = ACCOUNT_TEXT + U32;
export const RATING_GROUP = RAT_TYPE + U32;
export const SERVICE_IDENTIFIER = RATING_GROUP + U32;
export const REMOTE_PORT = SERVICE_IDENTIFIER + U32;
export const PROTOCOL = REMOTE_PORT + U16;
export const CONTENT_TYPE = PROTOCOL + U8;
export const KEY_DIFFERS = CONTENT_TYPE + U8;
export const DETECTED_BY = KEY_DIFFERS + U8;
export const HAS_NETWORK = DETECTED_BY + U8;
export const SCRATCH = HAS_NETWORK + U8;
export const VALUE_START = SCRATCH + 16;
export const VALUE_END = VALUE_START + EACH_FIELD * 4;
export const LINE_DATUM = VALUE_END + EACH_FIELD * 4;

// Kept from call to call.
export const MEMBER_FIELDS = LINE_DATUM + MAX_DATUM_OCTETS;

// The texts: slots of the index, an entry a text (hash, length, place), their octets.
export const TEXT_COUNTS = MEMBER_FIELDS + EACH_FIELD;
export const TEXT_SLOTS = TEXT_COUNTS + 16;
export const TEXT_ENTRIES = TEXT_SLOTS + MAX_TEXTS * 2 * 4;
export const TEXT_ENTRY_BYTES = 16;
export const TEXTS = TEXT_ENTRIES + MAX_TEXTS * TEXT_ENTRY_BYTES;
export const END = TEXTS + TEXT_OCTETS;

/** Pages of 64 KiB. */
export const PAGES = (END + 65_535) >> 16;

/** `LAYOUT` of a datum that ends before the identities, and of one that ends with them. */
export const WITHOUT_IDENTITIES = 0;
export const WITH_IDENTITIES = 1;
/** `LAYOUT` of a line: an object in JSON, and cells of CSV in the order of COLUMN_FIELDS. */
export const JSON_OBJECT = 2;
export const CSV_CELLS = 3;
/** `LAYOUT` of a datum with the fields of the network behind the identities, and of a whole one: with the account behind them. */
export const WITH_NETWORK = 4;
export const WITH_ACCOUNT = 5;
/** The longest account, in octets, all of them printable ASCII characters without a space. */
export const MAX_ACCOUNT_OCTETS = 64;

/** KEY_DIFFERS where the key is the record's account; 0: its MSISDN's digits, 1: neither. */
export const KEY_IS_ACCOUNT = 2;

/** Bits of FIELD_KINDS; without TEXT it is a whole number. */
export const TEXT = 1;
export const NULLABLE = 2;
/** A text's number, or a number that is not negative, where the field is null. */
export const NO_TEXT = -1;
/** RAT_TYPE where the field is null. */
export const NO_RAT_TYPE = -1;
