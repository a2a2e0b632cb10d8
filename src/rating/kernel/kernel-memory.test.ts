import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AdmissionKernel, loadAdmissionKernel } from '../admission-kernel.ts';
import { DATUM_FIELDS } from '../decode/flow-layout.ts';
import { avroDecoder } from '../decode-avro.ts';
import type { FlowRecord } from '../flow-record.ts';
import { type Incoming, incoming } from '../incoming.ts';
import { MAX_TEXT_LENGTH } from '../record/validate.ts';
import { testRecord } from '../traffic.fixture.ts';
import { fuzzing, isBuiltFromSources } from './kernel.fixture.ts';
import {
  ADDRESS,
  CSV_CELLS,
  DATUM_END,
  DATUM_START,
  END,
  INPUT,
  INPUT_OCTETS,
  JSON_OBJECT,
  KEY_END,
  KEY_START,
  LATEST_TIME,
  LAYOUT,
  LINE_DATUM,
  MAX_DATUM_OCTETS,
  MAX_MISSED_TEXTS,
  MAX_PROBES,
  MAX_TEXTS,
  MEMBER_FIELDS,
  NO_TEXT,
  NODE_TEXT,
  PROTOCOL,
  REMOTE_PORT,
  ROWS,
  SCRATCH,
  SEQUENCE,
  SLACK_OCTETS,
  TEXT_COUNTS,
  TEXT_ENTRIES,
  TEXT_OCTETS,
  TEXTS,
  WITH_ACCOUNT,
} from './regions.ts';

const schema = JSON.parse(readFileSync('schemas/flow-record.avsc', 'utf8'));
const type = avro.Type.forSchema(schema);
const decode = avroDecoder({ readerSchema: schema, schemas: new Map(), header: 'bare' });
const context = {
  decode,
  keyedByMsisdn: true,
  rules: { msisdn: { acceptPlus: false, internationalPrefix: null }, maxFutureSkewMs: 0 },
  bookingDay: 0,
};

/** Good records in each layout: the columns of the lines of CSV are those of a datum. */
const RECORD = testRecord({
  zeroRatingTag: 'TAG',
  servedImsi: '999990000000001',
  servingPlmn: '26201',
  ratType: 6,
  trackingArea: '26201-00af',
  detectedApplication: 'chat',
  detectedBy: 'sni',
  accountId: 'B-17',
});
const WELL: Readonly<Record<number, Buffer>> = {
  [WITH_ACCOUNT]: type.toBuffer(RECORD),
  [JSON_OBJECT]: Buffer.from(JSON.stringify(RECORD)),
  [CSV_CELLS]: Buffer.from(DATUM_FIELDS.map(({ name }) => RECORD[name as keyof FlowRecord] ?? '').join(',')),
};
const LAYOUTS = [WITH_ACCOUNT, JSON_OBJECT, CSV_CELLS] as const;

/** Good records, and such as end early, have octets replaced, or are octets at random. */
const hostile = (layout: number) =>
  fc.oneof(
    fc
      .tuple(fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 2 }), fc.nat(600), fc.nat(3))
      .map(([changes, length, cut]) => {
        const octets = Buffer.from(WELL[layout]);
        for (const [at, octet] of changes) octets[at % octets.length] = octet;
        return cut === 0 ? octets.subarray(0, length) : octets;
      }),
    fc.constant(WELL[layout]),
    fc.uint8Array({ maxLength: 400 }).map((octets) => Buffer.from(octets)),
    // Varints and lengths that lead far away, texts, digits and blanks without an end.
    fc
      .tuple(fc.constantFrom(0xff, 0x80, 0x7f, 0x00, 0xfe, 0x02, 0x20, 0x2c, 0x31, 0x61), fc.nat(600), fc.boolean())
      .map(([octet, from, isLong]) => {
        const octets = Buffer.alloc(isLong ? MAX_DATUM_OCTETS : Math.max(1, from), octet);
        WELL[layout].subarray(0, from).copy(octets);
        return octets;
      }),
  );

interface Raw {
  exports: ReturnType<typeof loadAdmissionKernel>;
  octets: Uint8Array;
  view: DataView;
}

function rawKernel(): Raw {
  const exports = loadAdmissionKernel();
  const columns = DATUM_FIELDS.map((_, field) => field);
  new AdmissionKernel(exports).load([], 0, {
    ...context,
    decode: Object.assign(() => decode(Buffer.alloc(0)), { columns }),
  });
  const { buffer } = exports.memory;
  return { exports, octets: new Uint8Array(buffer), view: new DataView(buffer) };
}

/** Puts one datum at `place`, with `filling` around it, and reads it as row `row`. Returns whether the kernel reads it. */
function readAt(
  { exports, octets, view }: Raw,
  datum: Uint8Array,
  place: number,
  row: number,
  filling: number,
  layout: number = WITH_ACCOUNT,
): boolean {
  octets.fill(filling, INPUT, INPUT + INPUT_OCTETS + SLACK_OCTETS);
  octets.set(datum, place);
  view.setUint32(DATUM_START + row * 4, place, true);
  view.setUint32(DATUM_END + row * 4, place + datum.length, true);
  view.setUint32(KEY_START + row * 4, 0, true);
  view.setUint32(KEY_END + row * 4, 0, true);
  view.setFloat64(LATEST_TIME + row * 8, Number.MAX_SAFE_INTEGER, true);
  view.setUint8(LAYOUT + row, layout);
  return exports.readRows(row, row + 1, 2 ** 52) === row + 1;
}

/** What the kernel may write of row `row`: its cells of the columns, scratch and the texts. */
function isRowCell(address: number, row: number): boolean {
  if (address >= TEXT_COUNTS) return true;
  const columns: [from: number, to: number, width: number][] = [
    [SEQUENCE, SEQUENCE + ROWS * 8 * 6, 8],
    [SEQUENCE + ROWS * 8 * 6 + 8, ADDRESS, 4],
    [ADDRESS, NODE_TEXT, 16],
    [NODE_TEXT, REMOTE_PORT, 4],
    [REMOTE_PORT, PROTOCOL, 2],
    [PROTOCOL, SCRATCH, 1],
  ];
  const column = columns.find(([from, to]) => address >= from && address < to);
  // Beside the columns: the sum of the usage octets, and scratch.
  if (column === undefined) return address >= SEQUENCE;
  return Math.floor((address - column[0]) / column[2]) % ROWS === row;
}

test.each(LAYOUTS)(
  'the kernel writes nothing but its row, and reads nothing but its record: canaries, hostile octets, layout %i',
  (layout) => {
    const raw = rawKernel();
    const size = raw.octets.length;
    let read = 0;
    fc.assert(
      fc.property(hostile(layout), fc.nat(ROWS - 1), fc.boolean(), fc.nat(255), (datum, row, isLast, canary) => {
        // At the very end of the input, too: behind it is the slack only.
        const place = isLast ? INPUT + INPUT_OCTETS - datum.length : INPUT + 500;
        raw.exports.forgetTexts();
        const outcomes = [canary, canary ^ 0xff].map((filling) => {
          raw.octets.fill(canary, SEQUENCE, MEMBER_FIELDS);
          const before = raw.octets.slice(0, TEXT_COUNTS);
          const isRead = readAt(raw, datum, place, row, filling, layout);
          const input = raw.octets.slice(INPUT, INPUT + INPUT_OCTETS + SLACK_OCTETS);
          const inputBefore = new Uint8Array(input.length).fill(filling);
          inputBefore.set(datum, place - INPUT);
          expect(Buffer.compare(input, inputBefore)).toBe(0);
          expect(Buffer.compare(raw.octets.subarray(0, INPUT), before.subarray(0, INPUT))).toBe(0);
          for (let at = SEQUENCE; at < TEXT_COUNTS; at++) {
            if (raw.octets[at] !== before[at] && !isRowCell(at, row)) throw new Error(`octet ${at} was written`);
          }
          if (isRead) read++;
          // What is around the record changes nothing.
          return isRead ? Buffer.from(raw.octets.slice(SEQUENCE, LINE_DATUM)).toString('base64') : 'unusual';
        });
        expect(outcomes[1]).toBe(outcomes[0]);
        expect(raw.exports.memory.buffer.byteLength).toBe(size);
      }),
      fuzzing(),
    );
    expect(raw.octets.subarray(END).every((octet) => octet === 0)).toBe(true);
    expect(read).toBeGreaterThan(50);
  },
);

test('texts are numbered within their room, and the numbers begin again before it ends', () => {
  const kernel = new AdmissionKernel();
  const seen = new Map<object, Set<number>>();
  const record = (nodeId: string): Incoming => incoming(type.toBuffer(testRecord({ nodeId })));
  for (let round = 0, node = 0; round < 300; round++) {
    const names = Array.from({ length: ROWS }, () =>
      `${node++}-`.padEnd(1 + (node % MAX_TEXT_LENGTH), 'x').slice(0, 256),
    );
    const loaded = kernel.load(names.map(record), 0, context);
    expect(kernel.read(0, loaded, 2 ** 52)).toBe(loaded);
    const numbers = seen.get(kernel.textGeneration) ?? new Set();
    seen.set(kernel.textGeneration, numbers);
    const nodes = [...kernel.nodeText.subarray(0, loaded)];
    expect(nodes.map((text) => kernel.text(text))).toEqual(names.slice(0, loaded));
    expect(new Set(kernel.tagText.subarray(0, loaded))).toEqual(new Set([NO_TEXT]));
    const before = numbers.size;
    for (const text of nodes) numbers.add(text);
    // No number is of two texts.
    expect(numbers.size).toBe(before + loaded);
  }
  expect(seen.size).toBeGreaterThan(1);
  expect(Math.max(...[...seen.values()].map(({ size }) => size))).toBeLessThanOrEqual(MAX_TEXTS);
});

test('a table of texts without room makes a record unusual, and stays as it is', () => {
  const raw = rawKernel();
  const datum = type.toBuffer(testRecord());
  for (const [count, used] of [
    [MAX_TEXTS, 0],
    [0, TEXT_OCTETS],
    [0, TEXT_OCTETS - 7],
  ]) {
    raw.view.setUint32(TEXT_COUNTS, count, true);
    raw.view.setUint32(TEXT_COUNTS + 4, used, true);
    const entries = raw.octets.slice(TEXT_ENTRIES, TEXTS);
    expect(readAt(raw, datum, INPUT, 0, 0)).toBe(false);
    expect(Buffer.compare(raw.octets.slice(TEXT_ENTRIES, TEXTS), entries)).toBe(0);
    expect([raw.view.getUint32(TEXT_COUNTS, true), raw.view.getUint32(TEXT_COUNTS + 4, true)]).toEqual([count, used]);
  }
});

/** A text of eight ASCII octets that has this hash, by the reverse of the kernel's mixing; null where `high` leads to none. */
function textOfHash(hash: bigint, high: bigint): string | null {
  const unmixed = (mixed: bigint) => BigInt.asUintN(64, (mixed ^ (mixed >> 32n)) * 0xf1de83e19937733dn);
  const word = unmixed(unmixed((high << 32n) | hash)) ^ 8n;
  if ((word & 0x8080808080808080n) !== 0n) return null;
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64LE(word);
  return octets.toString('latin1');
}

test.each<[string, (number: number) => string]>([
  ['gw-7', (number) => `gw-${number}`],
  ['00000007', (number) => String(number).padStart(8, '0')],
  ['7', (number) => `${number}`],
  ['node000000000007', (number) => `node${String(number).padStart(12, '0')}`],
  ['10.0.0.7', (number) => `10.0.${number >> 8}.${number & 255}`],
  ['pgw-00007.epc.mnc001', (number) => `pgw-${String(number).padStart(5, '0')}.epc.mnc001`],
  ['acme-chat/7', (number) => `acme-chat/${number}`],
  ['1024, 2048', (number) => String(number * 1024)],
  ['a000aaaa07aaaa', (number) => `a${number >> 7}aaaa${number & 127}aaaa`],
])('texts that are counted up are spread over the index: %s', (_like, nameOf) => {
  const kernel = new AdmissionKernel();
  for (let from = 0; from < MAX_TEXTS - 6 * ROWS; from += ROWS) {
    const records = Array.from({ length: ROWS }, (_, at) => testRecord({ nodeId: nameOf(from + at) }));
    const loaded = kernel.load(
      records.map((record) => incoming(type.toBuffer(record))),
      0,
      context,
    );
    expect(kernel.read(0, loaded, 2 ** 52)).toBe(ROWS);
  }
});

test('texts that a client has chosen for their hashes cost no long searches: the long way numbers those that are too many', () => {
  const kernel = new AdmissionKernel();
  const names: string[] = [];
  for (let high = 0n; names.length < MAX_PROBES * 4; high++) {
    const name = textOfHash(0x12345n, (high * 0x9e3779b1n) & 0xffffffffn);
    if (name !== null) names.push(name);
  }
  let read = 0;
  for (const nodeId of names) {
    kernel.load([incoming(type.toBuffer(testRecord({ nodeId })))], 0, context);
    if (kernel.read(0, 1, 2 ** 52) === 0) continue;
    read++;
    expect(kernel.text(kernel.nodeText[0])).toBe(nodeId);
  }
  expect(read).toBe(MAX_PROBES);
  // They do not stay in the way of others: after many searches without a result all texts are forgotten.
  const [late] = names.slice(-1);
  const isLateRead = () => {
    kernel.load([incoming(type.toBuffer(testRecord({ nodeId: late })))], 0, context);
    return kernel.read(0, 1, 2 ** 52) === 1;
  };
  const misses = names.length - MAX_PROBES;
  for (let missed = misses; missed < MAX_MISSED_TEXTS; missed++) expect(isLateRead()).toBe(false);
  expect(isLateRead()).toBe(true);
});

test('the code in the package is that of the sources', () => {
  expect(isBuiltFromSources('#admission-kernel', 'src/rating/kernel'), 'run npm run build').toBe(true);
});
