import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FLOW_RECORD_FIELDS } from '../../rating/flow-record.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import { beginningFault, checkBeginnings } from './file-beginning.ts';
import { listFlowFiles } from './flow-file.ts';

const RECORD = JSON.stringify(testRecord());
const PRETTY = JSON.stringify(testRecord(), null, 2);
const HEADER = FLOW_RECORD_FIELDS.join(',');
const ROW = FLOW_RECORD_FIELDS.map((name) => testRecord()[name] ?? '').join(',');
const latin = (text: string) => Buffer.from(text, 'latin1');
const wide = (text: string, width: 2 | 4, isLittle: boolean) => {
  const octets = Buffer.alloc(text.length * width);
  for (let at = 0; at < text.length; at++) octets[at * width + (isLittle ? 0 : width - 1)] = text.charCodeAt(at);
  return octets;
};

const faultOf = (format: 'ndjson' | 'csv' | 'avro' | 'goflow2', content: string | Buffer, isWhole = true) =>
  beginningFault(format, { octets: Buffer.from(content as string), isWhole });

test.each<[string, 'ndjson' | 'csv' | 'goflow2', string]>([
  ['an empty file', 'ndjson', ''],
  ['blank lines', 'ndjson', '\n\r\n \n'],
  ['lines', 'ndjson', `${RECORD}\n${RECORD}\n`],
  ['lines with spaces', 'ndjson', ` {"a" : 1 , "b": [ {} ] }\n`],
  ['a last line without its end', 'ndjson', `${RECORD}\r\n${RECORD}`],
  ['a byte order mark', 'ndjson', `\ufeff${RECORD}\n`],
  ['a damaged first line', 'ndjson', `${RECORD.slice(0, 50)}\n${RECORD}\n`],
  ['a first line cut at a comma', 'ndjson', `${RECORD.slice(0, RECORD.indexOf(',') + 1)}\n${RECORD}\n`],
  ['a damaged line among others', 'ndjson', `garbage\n${RECORD}\n${RECORD}\n`],
  ['one record that is cut', 'ndjson', RECORD.slice(0, 50)],
  ['two objects in one of several lines', 'ndjson', `${RECORD}${RECORD}\n${RECORD}\n`],
  ['flows of goflow2', 'goflow2', '{"type":"IPFIX"}\n'],
  ['a header alone', 'csv', HEADER],
  ['rows', 'csv', `${HEADER}\r\n${ROW}\r\n\r\n${ROW}`],
  ['a header with quotes, spaces and a byte order mark', 'csv', `\ufeff"nodeId", ${HEADER.slice(7)}\n${ROW}\n`],
  ['no optional columns', 'csv', `${HEADER.replace(',servedImsi', '').replace(',contentType', '')}\n`],
])('%s: is read', (_, format, content) => {
  expect(faultOf(format, content)).toBe(null);
});

describe('what is packed or of another kind is named', () => {
  test.each<[string, Buffer, RegExp]>([
    ['gzip', gzipSync(RECORD), /^is gzip data; end its name in \.gz/],
    ['zip', latin('PK\x03\x04\x14\x00'), /^is a zip archive or a spreadsheet/],
    ['zstd', latin('\x28\xb5\x2f\xfd\x24'), /^is zstd data; unpack it: zstd -d/],
    ['bzip2', latin('BZh91AY'), /^is bzip2 data/],
    ['xz', latin('\xfd7zXZ\x00'), /^is xz data/],
    ['parquet', latin('PAR1\x15'), /^is a Parquet file/],
  ])('%s, under each of the endings', (_, content, message) => {
    for (const format of ['ndjson', 'csv', 'avro', 'goflow2'] as const) {
      expect(faultOf(format, content)?.message).toMatch(message);
    }
  });

  test('an Avro container under the ending of a text file', () => {
    const content = latin('Obj\x01\x04\x16avro.schema');
    for (const format of ['ndjson', 'csv', 'goflow2'] as const) {
      expect(faultOf(format, content)?.message).toMatch(/^is an Avro container; end its name in \.avro/);
    }
    expect(faultOf('avro', content)).toBe(null);
  });

  test.each<[string, Buffer]>([
    ['UTF-16LE', Buffer.from(`\ufeff${RECORD}`, 'utf16le')],
    ['UTF-16LE', wide(HEADER, 2, true)],
    ['UTF-16BE', Buffer.concat([Buffer.from([0xfe, 0xff]), wide(RECORD, 2, false)])],
    ['UTF-16BE', wide(HEADER, 2, false)],
    ['UTF-32LE', Buffer.concat([Buffer.from([0xff, 0xfe, 0, 0]), wide(RECORD, 4, true)])],
    ['UTF-32LE', wide(RECORD, 4, true)],
    ['UTF-32BE', Buffer.concat([Buffer.from([0, 0, 0xfe, 0xff]), wide(RECORD, 4, false)])],
    ['UTF-32BE', wide(HEADER, 4, false)],
  ])('%s', (encoding, content) => {
    for (const format of ['ndjson', 'csv'] as const) {
      expect(faultOf(format, content)?.message).toBe(
        `is ${encoding} text; UTF-8 is read: iconv -f ${encoding} -t UTF-8 FILE`,
      );
    }
  });
});

describe('JSON that is no lines', () => {
  test.each<[string, string, number, RegExp]>([
    ['an array', `[${RECORD},${RECORD}]`, 1, /JSON array.*jq -c '\.\[\]'/],
    ['an array over lines', `\n[\n${RECORD},\n${RECORD}\n]\n`, 2, /JSON array/],
    ['an empty array', '[]', 1, /JSON array/],
    ['a part of an array', `${RECORD},\n${RECORD}\n`, 1, /a comma after its object/],
    ['a pretty-printed object', `${PRETTY}\n`, 1, /over several lines \(pretty-printed\)/],
    ['pretty-printed objects', `\r\n${PRETTY}\r\n${PRETTY}\r\n`.replaceAll(/(?<!\r)\n/g, '\r\n'), 2, /pretty-printed/],
    ['an object broken anywhere', RECORD.replace(',"startTime"', '\n,"startTime"'), 1, /pretty-printed/],
    ['a text sequence', `\x1e${RECORD}\n\x1e${RECORD}\n`, 1, /RFC 7464/],
    ['objects in one line', `${RECORD}${RECORD}${RECORD}`, 1, /several objects in its only line/],
    ['a CSV header', `${HEADER}\n${ROW}\n`, 1, /begins with a CSV header/],
    ['XML', '<?xml version="1.0"?>\n<flows>\n<flow/>\n</flows>\n', 1, /is no JSON/],
    ['carriage returns alone', `${RECORD}\r${RECORD}\r`, 1, /carriage return alone/],
  ])('%s', (_, content, line, message) => {
    for (const format of ['ndjson', 'goflow2'] as const) {
      const fault = faultOf(format, content);
      expect(fault?.message).toMatch(message);
      expect(fault?.line).toBe(line);
    }
  });
});

describe('CSV that is none, or of other columns', () => {
  const other = (delimiter: string) => `${HEADER.replaceAll(',', delimiter)}\n${ROW.replaceAll(',', delimiter)}\n`;
  test.each<[string, string, RegExp]>([
    ['semicolons', other(';'), /separated by semicolons; commas are read/],
    ['tabs', other('\t'), /separated by tabs/],
    ['vertical bars', other('|'), /separated by vertical bars/],
    ['quoted names and semicolons', `"${HEADER.replaceAll(',', '";"')}"\n`, /cannot be read|separated by semicolons/],
    ['a line that names the separator', `sep=;\n${other(';')}`, /names a separator/],
    ['JSON', `${RECORD}\n`, /holds JSON; end its name in \.ndjson/],
    ['a JSON array', `[\n${RECORD}\n]`, /holds JSON/],
    ['rows without a header', `${ROW}\n${ROW}\n`, /the first line is no header/],
    [
      'a misspelt column',
      `${HEADER.replace('contentType', 'contenttype')}\n`,
      /"contenttype" \(did you mean "contentType"\?\)/,
    ],
    [
      'another misspelt column',
      `${HEADER.replace('zeroRatingTag', 'zero_rating_tag')}\n`,
      /did you mean "zeroRatingTag"/,
    ],
    ['names in capitals', `${HEADER.toUpperCase()}\n`, /unknown columns "NODEID" \(did you mean "nodeId"\?\)/],
    ['a column of a vendor', `${HEADER},apn\n`, /unknown column "apn"; rename or remove it/],
    ['a column without a name', `${HEADER},\n`, /no name for column 28/],
    ['a column twice', `${HEADER},nodeId\n`, /names the column nodeId twice/],
    [
      'a column that must be',
      `${HEADER.replace(',servedMsisdn', '')}\n`,
      /lacks servedMsisdn: no record can be without it/,
    ],
    ['two columns that must be', 'nodeId,startTime\n', /lacks localSequenceNumber, .*without them/],
    ['a header with an open quote', `"${HEADER}\n`, /the header line cannot be read/],
    ['carriage returns alone', `${HEADER}\r${ROW}\r`, /carriage return alone/],
    ['a doubled carriage return', `${HEADER}\r\n${ROW}\r\r\n`, /a carriage return that no line feed follows/],
    ['line ends the wrong way round', `${HEADER}\n\r${ROW}\n\r`, /a carriage return that no line feed follows/],
  ])('%s', (_, content, message) => {
    expect(faultOf('csv', content)?.message).toMatch(message);
  });

  test('the line is that of the header, or of what is wrong', () => {
    expect(faultOf('csv', '\n\ncontenttype,nodeId\n')?.line).toBe(3);
    expect(faultOf('csv', `${HEADER}\r\n${ROW}\r\n${ROW}\r\r\n`)?.line).toBe(3);
  });
});

test('the end of what is looked at does not count as the end of the file', () => {
  expect(faultOf('ndjson', `${RECORD}\n${RECORD.slice(0, 9)}`, false)).toBe(null);
});

test('a CSV file is not judged by what is still to be written of it, nor by where the look at it ends', () => {
  const file = Buffer.from(`\ufeff${HEADER}\r\n${ROW}\r\n${ROW}\r\n`);
  for (let octets = 0; octets <= file.length; octets++) {
    expect(beginningFault('csv', { octets: file.subarray(0, octets), isWhole: false }), `${octets}`).toBe(null);
  }
  expect(faultOf('csv', HEADER.slice(0, 50))?.message).toMatch(/unknown column|lacks/);
  expect(faultOf('csv', `${HEADER.slice(0, 50)}\n`, false)?.message).toMatch(/unknown column|lacks/);
});

test('packed data that ends early is judged as far as it goes, unless nothing follows', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'file-beginning-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'flows.csv.gz');
  const packed = gzipSync(`${HEADER}\n${ROW}\n`);
  for (const octets of [0, 5, 40, packed.length - 1]) {
    writeFileSync(path, packed.subarray(0, octets));
    const files = await listFlowFiles([path]);
    await checkBeginnings(files, false);
    await expect(checkBeginnings(files, true)).rejects.toThrow(/gzip data ends early/);
  }
});

test('a file of another exporter is read', () => {
  const file = readFileSync('fixtures/cases/growing/whole.csv');
  expect(beginningFault('csv', { octets: file, isWhole: true })).toBe(null);
});
